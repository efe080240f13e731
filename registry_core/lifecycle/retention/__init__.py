"""Retention: rules by which manifests and tags go by themselves (`docs/retention.md`)."""
