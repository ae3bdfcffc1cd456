"""Thin translations of a framework's events into `earlystop`; each module imports only its own."""
