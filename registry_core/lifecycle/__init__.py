"""What happens without a request of a client: retention, garbage collection, a warm instance.

Soft delete is not built yet; the rows that it will work on have their columns.
"""
