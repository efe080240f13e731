"""What people and programs see: text made harmless, tables, progress."""
