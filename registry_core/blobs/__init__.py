"""Content: which repositories have it, uploads and their state, hashing."""
