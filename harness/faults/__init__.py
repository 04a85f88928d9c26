"""Faults that a scenario causes on purpose."""
