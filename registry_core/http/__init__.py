"""The surfaces, a module or a package each, and the edge that every request passes."""
