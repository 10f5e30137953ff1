"""The AsyncAPI document: everything that a member sends and receives, as other programs read it."""
