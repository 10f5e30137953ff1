"""What matching is fitted on besides data from outside: hand-written pairs and word lists."""
