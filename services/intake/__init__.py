"""Intake: takes what members say, checks it, and tells the platform and the member."""
