"""What happens without a request of a client: retention, the purge, collection, staying warm."""
