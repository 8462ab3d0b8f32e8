"""Measuring a model, results files, comparisons."""
