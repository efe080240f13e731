"""Requests without a server: what a client would have sent, and what it was answered."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

DISCONNECT: dict[str, Any] = {"type": "http.disconnect"}


@dataclass
class Body:
    """A body that comes in chunks and knows how many were taken."""

    chunks: Iterable[bytes | None] = ()
    """None: the client goes away."""
    taken: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for chunk in self.chunks:
            self.messages.append(
                DISCONNECT
                if chunk is None
                else {"type": "http.request", "body": chunk, "more_body": True}
            )
        self.messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive(self) -> dict[str, Any]:
        """What the server hands over next."""
        if self.taken == len(self.messages):
            return DISCONNECT
        self.taken += 1
        return self.messages[self.taken - 1]


def request(
    method: str = "GET",
    path: str = "/v2/",
    headers: Mapping[str, str] | None = None,
    body: Body | None = None,
    query: str = "",
) -> Request:
    """The request as a handler gets it."""
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in (headers or {}).items()
        ],
    }
    return Request(scope, (body or Body()).receive)


def error_of(response: Response) -> tuple[int, str]:
    """Status and code of an error."""
    (error,) = json.loads(bytes(response.body))["errors"]
    return response.status_code, error["code"]
