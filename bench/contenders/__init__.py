"""The registries that are compared, each as a process of its own behind a proxy of its own."""
