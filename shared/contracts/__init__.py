"""What the parties share, and all that they share: records, events, topics, JSON Schemas, examples."""
