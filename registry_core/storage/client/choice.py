"""How this process reaches others: directly, or through the proxy that the environment names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from registry_core.storage.client.pool import Pool

if TYPE_CHECKING:
    from registry_core.storage.client.proxied import ProxiedPool

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def connections() -> Pool | ProxiedPool:
    """Connections of the kind that this process needs; closed by the caller."""
    if any(os.environ.get(name) or os.environ.get(name.upper()) for name in _PROXIES):
        # A library that nobody loads who needs no proxy.
        from registry_core.storage.client.proxied import ProxiedPool  # noqa: PLC0415

        return ProxiedPool()
    return Pool()
