"""What happens without a request of a client: keeping an instance warm, and garbage collection."""
