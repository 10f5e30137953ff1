"""The notify service: tells members what concerns them, and nothing that is not theirs to know."""
