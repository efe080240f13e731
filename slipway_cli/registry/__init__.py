"""The registry as its clients see it: its address, who signs in there, requests, references."""
