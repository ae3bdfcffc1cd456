"""Atomic file writes, deferred deletion of old files, and locks on folders."""
