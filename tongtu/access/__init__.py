"""Who may do what on a secured Kafka: users, their passwords, and access rules derived from topics.yaml."""
