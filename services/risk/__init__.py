"""The risk service: what a match may come to, by the shared risk model."""
