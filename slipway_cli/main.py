"""The command line: reads the arguments, runs the command, and says in one line what went wrong."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from registry_core import __version__
from slipway_cli.command import CommandError, PartlyDone, Result, Shaped, render, say, write

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_EPILOG = """\
`repository`, `tag`, `manifest`, `push`, `relay` and `check-health` speak to the registry itself,
with the credentials that docker, podman or az keep. Set SLIPWAY_REGISTRY to the address of your
registry to leave it out.

`token`, `scope-map`, `role-assignment`, `key`, `soft-delete`, `gc`, `retention`, `fsck`, `usage`,
`backup` and `restore` read and write the registry's storage. Set RegistryStorage to a connection
string, or set RegistryStorage__accountName and sign in with `az login`. The identity needs the role
Storage Table Data Contributor; all but the first three also need Storage Blob Data Contributor.

Exit status: 0 done, 1 failed, 2 wrong arguments, 3 partly done, 4 not signed in or not allowed,
130 interrupted.
"""
_COMMANDS = {
    "repository": (
        "arguments.repositories",
        "list, show, delete, lock and unlock repositories; usage",
    ),
    "tag": ("arguments.tags", "list, delete, lock and unlock tags"),
    "manifest": ("arguments.manifests", "list, show, delete, restore, lock and unlock manifests"),
    "token": ("arguments.tokens", "user names with passwords for chosen repositories"),
    "scope-map": ("arguments.scope_maps", "what repository-scoped tokens may do"),
    "role-assignment": (
        "arguments.role_assignments",
        "what users, groups and applications of Entra ID may do",
    ),
    "key": ("arguments.keys", "the keys that sign tokens"),
    "soft-delete": (
        "arguments.soft_delete",
        "whether what is deleted can be restored, and for how many days",
    ),
    "gc": ("arguments.gc", "collect garbage: free the storage of what no manifest needs"),
    "retention": ("arguments.retention", "rules by which manifests and tags go, and a run by them"),
    "fsck": ("arguments.fsck", "check that everything in storage is in order"),
    "usage": ("arguments.usage", "count what the whole registry takes of storage"),
    "backup": ("arguments.backup", "back up a registry, list backups, delete old ones"),
    "restore": ("arguments.restore", "restore a backup into an empty registry"),
    "push": ("arguments.push", "push an image or an archive, with layers of any size"),
    "relay": (
        "arguments.relay",
        "take pushes on this machine, and send them on in chunks that the registry's host takes",
    ),
    "admin-password": ("admin_passwords", "passwords of the admin account"),
    "whoami": ("whoami", "sign in to a registry, and show who you are there"),
    "check-health": (
        "arguments.check_health",
        "check the way to a registry, and that it works: from DNS to a push and a pull",
    ),
    "completion": ("completion", "print what makes a shell complete this command line"),
    "cost": ("cost", "estimate what a registry costs in a month"),
}
"""Each first word with the module that has the rest, and what it is for."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in a line, without the usage: that of some commands fills a screen."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. See {self.prog} --help\n")

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        # argparse takes no notice of an output that takes nothing.
        if file is sys.stdout:
            write(message)
        else:
            say(message.rstrip("\n"))


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """All commands: each with its arguments, or one alone, so that only its module is imported."""
    whole = _Parser(
        prog="slipway",
        description=(
            "See and delete what is in a Slipway registry, manage who can use it, check that it "
            "works, and estimate its cost."
        ),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for name, (module, text) in _COMMANDS.items():
        added = commands.add_parser(name, help=text)
        if command in (None, name):
            importlib.import_module(f"slipway_cli.{module}").register(added)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; 0, or the status of its error. Exits with 2 for arguments that are none.

    Raises `KeyboardInterrupt` at once, whatever is under way, and `OSError` where the output takes
    no help.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    parsed = parser(words[0] if words else "").parse_args(words)
    try:
        result = _run(parsed)
    except PartlyDone as error:
        say(f"slipway: {error}")
        return _answer(error.done, parsed.output) or error.status
    except CommandError as error:
        say(f"slipway: {error}")
        return error.status
    return _answer(result, parsed.output)


def _answer(result: Result, output: str) -> int:
    """Writes what a command answers; 0, or 1 if the output does not take it."""
    rows = result.rows if isinstance(result, Shaped) else result
    if isinstance(rows, Sequence) and not rows and output == "table":
        say("Nothing found.")
    try:
        write(render(result, output))
    except OSError as error:
        say(f"slipway: it is done, but the answer could not be written: {error.strerror}")
        return 1
    return result.status if isinstance(result, Shaped) else 0


def _run(parsed: argparse.Namespace) -> Result:
    """What the command answers.

    Not by `asyncio.run`: at its end that waits for threads which hang, and it keeps Ctrl-C from
    a question.
    """
    loop = asyncio.new_event_loop()
    try:
        answer: Result = loop.run_until_complete(parsed.run(parsed))
    except CommandError:
        _end(loop)
        raise
    _end(loop)
    return answer


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Gives up what is still under way beside what failed; threads are not waited for."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks))
    loop.close()
