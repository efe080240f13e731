"""What the relay answers where it does not hand on an answer as it is."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping

from aiohttp import web

from registry_core.errors import Denied, RegistryError, Unavailable
from slipway_cli.command import CommandError, NotSignedIn
from slipway_cli.registry.client import Refused
from slipway_cli.registry.server import Answer, Server

_JSON = {"Content-Type": "application/json; charset=utf-8"}
OF_ONE_CONNECTION = frozenset(
    {
        *("connection", "keep-alive", "proxy-authorization", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    }
)
"""Headers that are never handed on, in either direction (RFC 9110, 7.6.1)."""
_NOT_HANDED_ON = OF_ONE_CONNECTION | frozenset(
    {
        "proxy-authenticate",
        # Clients sign in to the relay, and the relay to the registry.
        "www-authenticate",
        # The relay takes bodies of any length.
        *("oci-chunk-max-length", "oci-chunk-min-length"),
    }
)
"""Headers of an answer that are of one connection, or not true of the relay."""


def of_error(error: RegistryError) -> web.Response:
    """An error of the relay's own."""
    return web.Response(body=error.body(), status=error.status, headers={**_JSON, **error.headers})


def of_failure(error: CommandError, server: Server) -> web.Response:
    """What a client is told whose request failed between the relay and the registry."""
    if isinstance(error, Refused):
        if error.answer.status == 401:
            # The client knows the relay's password; it is the relay that may not.
            return of_error(Denied(str(error)))
        return whole(error.answer, server)
    if isinstance(error, NotSignedIn):
        return of_error(Denied(str(error)))
    return of_error(Unavailable(str(error)))


def whole(answer: Answer, server: Server) -> web.Response:
    """An answer that was read to its end."""
    headers = headers_of(answer.headers, server)
    headers.pop("content-length", None)
    return web.Response(body=answer.body, status=answer.status, headers=headers)


def headers_of(headers: Mapping[str, str], server: Server) -> dict[str, str]:
    """The headers of an answer as a client of the relay is to see them, in lower case."""
    kept = {
        name.lower(): value for name, value in headers.items() if name.lower() not in _NOT_HANDED_ON
    }
    if "location" in kept:
        kept["location"] = here(kept["location"], server)
    if link := kept.get("link"):
        begin, _, rest = link.partition("<")
        target, _, end = rest.partition(">")
        kept["link"] = f"{begin}<{here(target, server)}>{end}"
    return kept


def here(location: str, server: Server) -> str:
    """An address of the registry as a path, which is the relay's too; another as it is."""
    parts = urllib.parse.urlsplit(location)
    if parts.netloc.lower() not in ("", server.netloc):
        return location
    return urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))
