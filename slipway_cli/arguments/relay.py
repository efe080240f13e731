"""What `slipway relay` takes."""

from __future__ import annotations

import argparse
import re

from slipway_cli.arguments.registry import add_sign_in
from slipway_cli.command import describe, later

PORT = 5000
_SIZE = re.compile(r"([1-9][0-9]{0,9})\s*(?:([kmg])i?b?|b)?", re.IGNORECASE)
_UNITS = {"k": 1024, "m": 1024**2, "g": 1024**3}


def register(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    describe(
        parser,
        later("relay.command", "run"),
        "Run a registry on this machine that hands on to a real one, and sends it layers in chunks "
        "that its host takes. Push to 127.0.0.1:5000 with any client: layers may be of any size, "
        "and a connection that breaks is gone on with. It runs until Ctrl-C.",
        "relay --to registry.example.com",
        "relay --to registry.example.com --docker-login",
        "relay --to https://registry.example.com --port 5050 --open",
        "relay --to registry.example.com -u ci-web --password-stdin --docker-login < password",
    )
    parser.add_argument(
        "--to",
        metavar="ADDRESS",
        help="the registry, such as https://registry.example.com; plain http is for this machine "
        "alone (default: SLIPWAY_REGISTRY)",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=PORT,
        help="where to listen; 0 is any port that is free (default: %(default)s)",
    )
    add_chunk(parser)
    access = parser.add_mutually_exclusive_group()
    access.add_argument(
        "--open",
        action="store_true",
        help="ask for no password: every program on this machine may push as you",
    )
    access.add_argument(
        "--docker-login",
        action="store_true",
        help="put the password of the relay in docker's configuration, which podman, buildah, "
        "crane, oras and others read too, and take it away at the end",
    )
    parser.add_argument(
        "--bind",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="the address to listen at; another one than this machine's own needs --tls-cert and "
        "--tls-key (default: %(default)s)",
    )
    parser.add_argument("--tls-cert", metavar="FILE", help="the certificate to serve TLS with")
    parser.add_argument("--tls-key", metavar="FILE", help="its key")
    add_sign_in(parser)


def add_chunk(parser: argparse.ArgumentParser) -> None:
    """`--chunk`."""
    parser.add_argument(
        "--chunk",
        type=_size,
        metavar="SIZE",
        help="the most to send in one request, such as 16MiB (default: a quarter of what the "
        "registry says it takes; less where many layers are sent at once)",
    )


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 65_536:
        raise ValueError(text)
    return port


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    return int(found[1]) * _UNITS.get((found[2] or "").lower(), 1)


_port.__name__ = "port from 0 to 65535"  # What argparse calls it if it is none.
_size.__name__ = "size such as 16MiB"
