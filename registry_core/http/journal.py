"""What will be logged of a request, noted while it is answered."""

from __future__ import annotations

from dataclasses import dataclass, field

from registry_core.auth.identity import Identity
from registry_core.model.change import Event


@dataclass(slots=True)
class Journal:
    """What the request log and the audit log are written from, once the answer is known."""

    kind: str = "unknown"
    """The kind of the route that the path leads to."""
    repository: str = ""
    identity: Identity | None = None
    """Who the request comes from, once that is proven."""
    is_foreign: bool = False
    """Whether another region proved it."""
    user_name: str | None = None
    """The name that a sign-in claims; None where the request is no sign-in."""
    is_proven: bool = False
    """Whether that sign-in has succeeded already, whatever becomes of the request."""
    asked: Event | None = None
    """What the route says is asked for: recorded if it is a pull, or is refused."""
    events: list[Event] = field(default_factory=list)
    """What has happened, as the change itself tells it."""
