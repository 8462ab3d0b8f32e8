"""Metrics: update, compute, merge, reset; intervals and paired tests."""
