"""The rows of a repository: what is read of them, and every change."""
