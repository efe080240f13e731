"""Where the registry redirects to for a layer: the storage account, which a firewall may not know.

The address is signed: it goes without the token, and into no message.
"""

from __future__ import annotations

import re
import urllib.parse

from slipway_cli.health import network
from slipway_cli.health.checks import Failed
from slipway_cli.health.exchange import send
from slipway_cli.registry.server import Answer, Server, is_loopback


def fetch(redirect: str) -> tuple[str, bytes]:
    """The host that has the layer, and the layer. Raises `Failed`."""
    server, target = _storage(redirect)
    host = network.Place.of(server).host
    answer = _ask(server, target)
    if answer.status != 200:
        raise _refused(host, answer)
    return host, answer.body


def _storage(redirect: str) -> tuple[Server, str]:
    """The server that a registry redirects to, and the path there. Raises `Failed`."""
    try:
        parts = urllib.parse.urlsplit(redirect)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise _bad_redirect("nowhere") from None
    # An address that is sent as it is: an error of the library would tell it, signature and all.
    if not host or not re.fullmatch(r"[!-~]+", redirect):
        raise _bad_redirect("nowhere")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise _bad_redirect(f"{host} by {parts.scheme}")
    return Server(parts.scheme, parts.netloc), f"{parts.path}?{parts.query}"


def _bad_redirect(where: str) -> Failed:
    return Failed(
        "bad-redirect",
        f"the registry redirects to {where}",
        "set the address of blobs in RegistryStorage to one with https",
    )


def _ask(server: Server, target: str) -> Answer:
    """What storage answers. Raises `Failed` where this machine does not reach it."""
    place = network.Place.of(server)
    try:
        network.connect(network.Place.first(server))
        if server.scheme == "https":
            network.shake_hands(server)
        return send(server, "GET", target)
    except Failed as failed:
        raise Failed(
            f"storage-{failed.reason}",
            f"the registry is reached, and its storage is not: {failed.text}",
            f"pulls need {place.host} as well: let this machine reach it, or have the registry "
            "stream layers itself (REGISTRY_BLOB_REDIRECT=off)",
            {**failed.facts, "host": place.host},
        ) from failed


def _refused(host: str, answer: Answer) -> Failed:
    code = answer.headers.get("x-ms-error-code", "")
    if answer.status == 403 and code == "AuthenticationFailed":
        advice = (
            "the signature of the address counts no more, or not yet: check the clocks, and try "
            "again"
        )
    elif answer.status == 403:
        advice = (
            "the account's firewall does not let this machine in, or the app has not the role "
            "Storage Blob Data Contributor on the container content. Let it in, or have the "
            "registry stream layers itself (REGISTRY_BLOB_REDIRECT=off)"
        )
    else:
        advice = "docs/runbook.md says what the errors of storage mean; try again"
    return Failed(
        "storage-denied",
        f"storage answered {answer.status} {code}".rstrip(),
        advice,
        {"host": host, "status": answer.status, "code": code or None},
    )
