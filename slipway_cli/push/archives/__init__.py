"""What an archive holds: read without unpacking it, from a file, a folder or standard input."""
