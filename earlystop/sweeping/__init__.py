"""Sweep: what every setting of a grid would have done on every logged run."""
