"""Replay: the decisions that rules would have made on logged runs."""
