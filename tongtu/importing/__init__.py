"""Files of records, brought into a member's outbox."""
