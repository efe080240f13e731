"""`slipway whoami`: what a registry says of a user name and a password."""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode, urlsafe_b64decode
from datetime import UTC, datetime
from typing import Any

from registry_core.errors import reason_of
from slipway_cli.command import CommandError, Row, describe, read_password, written
from slipway_cli.registry.server import is_loopback

PATIENCE_SECONDS = 10.0
"""How long the registry may take for its whole answer, the look-up of its name included."""
_MAX_ERROR_BYTES = 64 * 1024


def register(parser: argparse.ArgumentParser) -> None:
    """Adds what the command takes."""
    describe(
        parser,
        _run,
        "Sign in to a registry, and show who you are there and what you may do.",
        "whoami --server https://registry.example.com -u ci-web --scope repository:team/web:pull",
    )
    parser.add_argument(
        "--server",
        "--registry",
        "-r",
        required=True,
        help="address of the registry, such as https://registry.example.com",
    )
    parser.add_argument("--username", "-u", required=True)
    parser.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )
    parser.add_argument(
        "--scope",
        action="append",
        default=[],
        help="what you want to do, such as repository:team/web:pull,push or registry:catalog:*. "
        "You can repeat it. Without it, ACCESS stays empty",
    )


async def _run(arguments: argparse.Namespace) -> Row:
    server = arguments.server if "://" in arguments.server else f"https://{arguments.server}"
    address = urllib.parse.urlsplit(server)
    if server != arguments.server and is_loopback(address.hostname or ""):
        name = arguments.server
        raise CommandError(f"--server: say which it is, http://{name} or https://{name}")
    if address.scheme not in ("https", "http") or not address.netloc:
        raise CommandError("--server: use an address such as https://registry.example.com")
    password = read_password(arguments)
    query = urllib.parse.urlencode(
        [("service", address.netloc), *(("scope", scope) for scope in arguments.scope)]
    )
    url = f"{address.scheme}://{address.netloc}/oauth2/token?{query}"
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asyncio.to_thread(_ask, url, arguments.username, password)
    except TimeoutError as error:
        raise CommandError(
            f"the registry did not answer within {PATIENCE_SECONDS:.0f} seconds: check --server"
        ) from error


def _ask(url: str, username: str, password: str) -> Row:
    credentials = b64encode(f"{username}:{password}".encode()).decode()
    request = urllib.request.Request(  # noqa: S310 - https, or http where it was asked for
        url, headers={"Authorization": f"Basic {credentials}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310
            document = json.load(answer)
    except urllib.error.HTTPError as error:
        reason = _reason(error)
        if error.code == 401:
            raise CommandError("the registry does not know this user name and password") from None
        text = f" ({reason})" if reason else ""
        raise CommandError(f"the registry answered {error.code}{text}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise CommandError(f"the registry cannot be reached: {error}") from None
    return _row(document["access_token"])


def _reason(error: urllib.error.HTTPError) -> str:
    """What the answer says; nothing where it breaks off."""
    try:
        with error:
            return reason_of(error.read(_MAX_ERROR_BYTES))
    except (OSError, http.client.HTTPException):
        return ""


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, unverified. Raises `ValueError` or `LookupError` if it is none."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def _row(token: str) -> Row:
    claims = claims_of(token)
    access = [
        f"{entry['type']}:{entry['name']}:{','.join(entry['actions'])}"
        for entry in claims.get("access", ())
    ]
    return {
        "name": claims.get("name", claims.get("sub")),
        "kind": claims.get("kind"),
        "subject": claims.get("sub"),
        "expires": written(datetime.fromtimestamp(claims["exp"], UTC)),
        "access": access,
    }
