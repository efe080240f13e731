"""Slipway's registry: everything that matters, with no knowledge of the Functions host.

The packages depend downwards only::

    http  ->  auth, lifecycle  ->  storage  ->  model

`registry` composes them; `settings` and `errors` are read by all. See `docs/architecture.md`.
"""

__version__ = "0.1.0"
