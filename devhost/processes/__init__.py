"""What runs beside the host: Azurite, Node.js, a look at the settings, and how all of it ends."""
