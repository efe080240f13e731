"""The endpoints, one module for each family, and the edge that every request passes."""
