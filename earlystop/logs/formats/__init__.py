"""The formats of logs, one per file."""
