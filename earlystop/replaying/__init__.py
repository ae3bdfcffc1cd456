"""Replay: the decisions that rules would have taken over logged runs."""
