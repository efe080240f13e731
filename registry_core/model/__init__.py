"""Values without I/O. `parse` returns a value that is right, or raises the client's error."""
