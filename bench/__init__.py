"""Measurements that anyone can repeat: `python -m bench.NAME [--json]`; the last line is one JSON object."""
