"""How long tests wait for what should happen."""

PATIENCE = 120.0
"""In seconds; what has not happened by then never will, on the busiest of machines. Only a test
that fails waits for so long."""
