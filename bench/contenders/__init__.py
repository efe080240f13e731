"""The registries that are compared, each as a process of its own behind a relay of its own."""
