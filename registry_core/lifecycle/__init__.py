"""What happens without a request of a client: garbage collection, the purge, staying warm."""
