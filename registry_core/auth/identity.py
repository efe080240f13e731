"""Who a request comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class IdentityKind(StrEnum):
    """How somebody proved who they are."""

    ADMIN = "admin"


@dataclass(frozen=True)
class Identity:
    """Somebody who has signed in."""

    kind: IdentityKind
    name: str
