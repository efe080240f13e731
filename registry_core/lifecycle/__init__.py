"""What happens without a request of a client.

Garbage collection, retention and the sweep of expired uploads are not built yet; the rows that they
will work on are written already (`docs/garbage-collection.md`).
"""
