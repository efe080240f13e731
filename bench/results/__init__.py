"""What was measured, kept as one file of JSON."""
