"""A function app that does nothing: what a request costs before any of it is the registry's."""
