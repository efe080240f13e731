"""A registry on loopback that hands on to a real one, and sends it layers in chunks that fit.

`uploads` sends one blob, and is all that other commands need; `server` is the registry on loopback.
"""
