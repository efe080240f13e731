"""What happens without a request of a client: retention, the purge, garbage collection, checks."""
