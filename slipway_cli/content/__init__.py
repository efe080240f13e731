"""What is in a registry: repositories, tags and manifests, by the registry's own API."""
