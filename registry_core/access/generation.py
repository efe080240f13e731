"""Generations: what tells that a row of table `access` has changed."""

from __future__ import annotations

import secrets


def new_generation() -> str:
    """A value that was not there before: access tokens that name another are good no more."""
    return secrets.token_hex(8)
