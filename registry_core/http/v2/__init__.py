"""`/v2`: the distribution API, one module for each family of routes."""
