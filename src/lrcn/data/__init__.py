"""Data sets, splits, transforms, loading and caching."""
