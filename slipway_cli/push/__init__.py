"""`slipway push`: an image of docker or podman, or an archive, into a registry."""
