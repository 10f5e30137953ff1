"""Tests: unit (no I/O), contract (schemas, examples), integration and e2e (real Kafka and MongoDB), chaos (kills)."""
