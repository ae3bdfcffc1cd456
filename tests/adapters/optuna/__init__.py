"""Tests of the adapter for Optuna."""
