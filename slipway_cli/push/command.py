"""`slipway push`: an image of an engine, or an archive."""

from __future__ import annotations

import argparse

from slipway_cli.command import Result, Shaped, say
from slipway_cli.push.archive import ArchivePush
from slipway_cli.push.engine import EnginePush
from slipway_cli.push.interruption import interruptible
from slipway_cli.registry import credentials

_HOW_TO_GO_ON = "To go on, repeat the command: layers that the registry has are not sent again"


async def run(arguments: argparse.Namespace) -> Result:
    """Pushes. Raises `CommandError`."""
    push = ArchivePush.of(arguments) if arguments.archive else EnginePush.of(arguments)
    # Before Ctrl-C is taken care of: it may have to ask for a password.
    sign_in = await credentials.find(arguments, push.place.server, push.place.repository)
    pushed = await interruptible(push.run(sign_in), _HOW_TO_GO_ON)
    say(pushed.how_to_use)
    return Shaped(pushed.document, pushed.document, text=f"{pushed.name}\n")
