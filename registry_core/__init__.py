"""Slipway's registry: everything that matters, with no knowledge of the Functions host.

The packages depend downwards only::

    http  ->  auth, lifecycle  ->  repositories  ->  blobs  ->  storage  ->  model
              auth             ->  access        ->  storage

`registry` composes them; `settings` and `errors` are read by all. See `docs/architecture.md`.
"""

__version__ = "0.1.0-dev"
"""The version of everything here (Semantic Versioning 2.0.0); `make release` sets it.

Between two releases it is the next one's with the mark of a pre-release. The command line tells it,
the first line that an instance logs, and the name of the package.
"""
