"""The check of everything in storage, and its repair (`docs/check-and-repair.md`)."""
