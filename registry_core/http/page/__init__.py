"""The page that shows the registry in a browser: its files, and what it is told of the registry."""
