"""Slipway beside CNCF distribution: the same requests, storage and token, in turn."""
