"""The sample members and their records, sent through the whole platform and compared with what is expected."""
