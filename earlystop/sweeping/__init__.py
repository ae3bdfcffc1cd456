"""Sweep: what every setting in a grid would have done on every logged run."""
