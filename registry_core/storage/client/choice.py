"""How this process reaches others: directly, or through the proxy that the environment names."""

from __future__ import annotations

import os

from registry_core.storage.client.connections import Connections
from registry_core.storage.client.pool import Pool

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def connections() -> Connections:
    """Connections of the kind that this process needs; closed by the caller."""
    if any(os.environ.get(name) or os.environ.get(name.upper()) for name in _PROXIES):
        # A library that nobody loads who needs no proxy.
        from registry_core.storage.client.proxied import ProxiedPool  # noqa: PLC0415

        return ProxiedPool()
    return Pool()
