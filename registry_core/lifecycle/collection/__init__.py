"""Garbage collection, any time and without a lock (`docs/garbage-collection.md`)."""
