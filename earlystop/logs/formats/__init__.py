"""The formats of logs, one a file."""
