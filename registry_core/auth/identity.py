"""Who a request comes from, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from registry_core.access.signing_keys import SigningKey
from registry_core.model.grants import NONE, Grants


class IdentityKind(StrEnum):
    """How somebody proved who they are."""

    ADMIN = "admin"
    TOKEN = "token"  # noqa: S105 - a kind, not a secret
    ENTRA = "entra"
    ANONYMOUS = "anonymous"


class Means(StrEnum):
    """What a request brought to prove it."""

    NOTHING = "nothing"
    BASIC = "basic"
    BEARER = "bearer"


@dataclass(frozen=True)
class Identity:
    """Somebody, known or not."""

    kind: IdentityKind
    name: str
    """For people and logs: a user name, a token's name, an application id."""
    subject: str = ""
    """What tells them apart: the name, or the object id in Entra ID."""
    tenant: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from every other identity, whatever it calls itself."""
        return (self.kind, self.tenant, self.subject)


def _nothing(_: SigningKey) -> str:
    return ""


@dataclass(slots=True)  # Frozen would take four times as long to make.
class Caller:
    """Who a request comes from, and what it may do. Nobody changes it."""

    identity: Identity
    grants: Grants
    means: Means = Means.NOTHING
    generation: Callable[[SigningKey], str] = field(default=_nothing, compare=False, repr=False)
    """What a token for the caller says of the password, token or roles that it rests on."""
    could: Grants = NONE
    """What another token would allow, as far as is known: more than this one, perhaps."""
    not_after: int | None = None
    """When all ends that is issued to the caller, in seconds since 1970; None: by its own life."""

    anybody: Grants = NONE
    """What everybody may do here, signed in or not."""
    is_foreign: bool = False
    """Whether it brought a token of another region, which alone can look up what it rests on."""

    @property
    def is_known(self) -> bool:
        """Whether it has signed in, be it for what anybody may do."""
        return self.identity.kind is not IdentityKind.ANONYMOUS or self.means is Means.BEARER


ANONYMOUS = Identity(IdentityKind.ANONYMOUS, "anonymous", "anonymous")
