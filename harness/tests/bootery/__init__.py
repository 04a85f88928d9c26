"""Tests of the bootery."""
