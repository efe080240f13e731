"""What happens without a request of a client: garbage collection, and an instance kept warm.

Retention and soft delete are not built yet; the rows that they will work on have their columns.
"""
