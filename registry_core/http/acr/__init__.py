"""`/acr/v1`: Azure Container Registry's own API, one module for each family of routes."""
