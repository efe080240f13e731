"""What values of settings are spelt like, and what is said of one that is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

ON, OFF = ("on", "true", "1", "yes", "enabled"), ("off", "false", "0", "no", "disabled")
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""An id of Entra ID's, in lower case."""
_DURATION = re.compile(r"(\d{1,6})\s*(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(
    rf"(?=.{{1,260}}$)(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]{{2,39}}\])(?::(?P<port>[0-9]{{1,5}}))?"
)


class SettingsError(Exception):
    """A setting is missing or wrong; the text names it and says how to mend it."""


def switch(env: Mapping[str, str], name: str, default: bool) -> bool:
    """A setting that is on or off. Raises `SettingsError`."""
    text = env.get(name, "").strip().lower()
    if not text:
        return default
    if text in ON:
        return True
    if text in OFF:
        return False
    raise SettingsError(f"{name}: use 'on' or 'off', not {text[:40]!r}")


def duration(env: Mapping[str, str], name: str, default: timedelta) -> timedelta:
    """A setting that is a time with a unit, such as `24h`. Raises `SettingsError`."""
    text = env.get(name, "").strip().lower()
    if not text:
        return default
    match = _DURATION.fullmatch(text)
    if not match:
        raise SettingsError(f"{name}: use a number with the unit s, m, h or d, such as 24h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def listed(text: str) -> tuple[str, ...]:
    """The parts of a list that commas separate, without those that are empty."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def is_host(text: str) -> bool:
    """A host name or an IPv6 address in brackets, with a port or without (RFC 3986, 3.2.2)."""
    found = _HOST.fullmatch(text)
    return found is not None and 0 < int(found["port"] or 443) < 65_536
