"""What all of the registry takes of storage, counted a part a night."""
