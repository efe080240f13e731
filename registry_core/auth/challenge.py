"""The challenge of a 401 (RFC 9110, 11.6.1)."""

from __future__ import annotations

from collections.abc import Sequence


def login_server(host: str | None, login_servers: Sequence[str]) -> str:
    """The host name to tell the client: the one it used if it is ours, else our first.

    What the client sends is compared, never echoed.
    """
    asked = (host or "").lower()
    return next((server for server in login_servers if server == asked), login_servers[0])


def basic(host: str | None, login_servers: Sequence[str]) -> str:
    """The value of `WWW-Authenticate`."""
    return f'Basic realm="{login_server(host, login_servers)}", charset="UTF-8"'
