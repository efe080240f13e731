"""`slipway relay`: a registry on this machine that hands on to a real one."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import ssl
import sys
from contextlib import ExitStack

from slipway_cli.command import CommandError, Result, UsageError, say
from slipway_cli.registry import credentials, references
from slipway_cli.registry.client import CATALOG
from slipway_cli.registry.server import is_loopback
from slipway_cli.relay import docker_config
from slipway_cli.relay.door import USERNAME, Door
from slipway_cli.relay.server import Relay
from slipway_cli.relay.upstream import Upstream
from slipway_cli.relay.watch import Watch


async def run(arguments: argparse.Namespace) -> Result:
    """Serves until it is told to end. Raises `CommandError`, and `KeyboardInterrupt` for Ctrl-C."""
    server = references.registry(arguments.to, "--to")
    tls = _tls(arguments)
    door = _door(arguments)
    sign_in = await credentials.find(arguments, server)
    watch = Watch()
    ended = _ended()
    async with Upstream.open(server, sign_in, watch.tell, arguments.chunk) as upstream:
        # Whoever may not sign in is told now, and not in the middle of a push.
        await upstream.client.token(CATALOG)
        relay = Relay(upstream, watch, door)
        async with relay.listening(arguments.bind, arguments.port, tls) as address:
            with ExitStack() as stack:
                if arguments.docker_login:
                    path = docker_config.path_in(os.environ)
                    stack.enter_context(
                        docker_config.signed_in(path, address, USERNAME, door.password)
                    )
                _say_how(arguments, upstream, address, door)
                ended_by = await ended
            unfinished = relay.uploads.unfinished
    watch.lines.clear()
    say(watch.summary())
    if unfinished:
        say(
            f"{unfinished} uploads are not complete. The registry keeps what it has of them, and "
            "a client that can resume goes on from there; others send the layer again"
        )
    if ended_by == signal.SIGINT:
        raise KeyboardInterrupt
    return None


def _door(arguments: argparse.Namespace) -> Door:
    if arguments.open:
        if not is_loopback(arguments.bind):
            raise UsageError("--open is for this machine alone: leave out --bind")
        return Door("")
    if not arguments.docker_login and not _has_terminal():
        # Where it would be written is a log, which others read.
        raise UsageError(
            "there is no terminal to show the password of the relay at: add --docker-login, or "
            "--open"
        )
    return Door.locked()


def _has_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _tls(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    if bool(arguments.tls_cert) != bool(arguments.tls_key):
        raise UsageError("--tls-cert and --tls-key: use both")
    if not arguments.tls_cert:
        if not is_loopback(arguments.bind):
            raise UsageError(
                f"--bind {arguments.bind}: others can listen there: add --tls-cert and --tls-key"
            )
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(arguments.tls_cert, arguments.tls_key)
    except OSError as error:
        reason = error.strerror or "they do not fit each other"
        raise CommandError(f"--tls-cert, --tls-key: the files cannot be used ({reason})") from error
    return context


def _say_how(arguments: argparse.Namespace, upstream: Upstream, address: str, door: Door) -> None:
    scheme = "https" if arguments.tls_cert else "http"
    say(f"relaying {scheme}://{address} to {upstream.server.url}")
    if upstream.client.sign_in.found is None:
        say(f"not signed in to {upstream.server.netloc}: what is not open to anybody is refused")
    if arguments.docker_login:
        say(f"docker is signed in to {address} until the relay ends")
    elif door.password:
        say(f"to sign in: docker login {address} --username {USERNAME}")
        say(f"password:   {door.password}")
    say(f"push with:  docker push {address}/team/app:v1")


def _ended() -> asyncio.Future[signal.Signals]:
    """By which signal the relay is told to end, from now on."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[signal.Signals] = loop.create_future()

    def end(by: signal.Signals) -> None:
        if not ended.done():
            ended.set_result(by)

    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, end, each)
    return ended
