"""Which storage account an address is of: signatures are made for a name, not for an address."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_NAMED = r"(?P<account>[a-z0-9]{3,24})(?:\.z[0-9]{1,3})?\.%s\..+"
"""`<account>.<service>.<suffix>`; in endpoints of Azure DNS zones the zone follows the account.

"Storage account overview", Standard endpoints and Azure DNS zone endpoints, Azure Storage.
"""


def account_of(address: str, service: str) -> str | None:
    """The account that an address of `service` (`blob`, `table`) names; None if it names none.

    A custom domain names none. The emulator's address has it in its path.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    if has_account_in_path(host):
        return parts.path.strip("/").partition("/")[0] or None
    found = re.fullmatch(_NAMED % re.escape(service), host)
    return found["account"] if found else None


def has_account_in_path(host: str) -> bool:
    """Whether the path of an address begins with the account: as the emulator's, by number."""
    if host == "localhost":
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
