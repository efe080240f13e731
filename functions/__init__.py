"""What only a function app has."""
