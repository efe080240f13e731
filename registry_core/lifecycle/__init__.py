"""What happens to content without a request: garbage collection, retention, expired uploads.

Nothing runs here yet; the rows it will work on are written already (`docs/architecture.md`).
"""
