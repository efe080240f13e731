"""The command line: reads the arguments, runs the command, and says in one line what went wrong."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence

from registry_core import __version__
from registry_core.errors import Unavailable
from registry_core.settings import SettingsError
from registry_core.storage.faults import Ambiguous, Refused, StorageFault
from slipway_cli import cost, keys, role_assignments, scope_maps, smoke, tokens, whoami
from slipway_cli.command import CommandError, Result, render, say

_EPILOG = """\
These commands read and write the registry's storage, except `admin-password`, `whoami`, `smoke`
and `cost`. Set RegistryStorage to a connection string, or set RegistryStorage__accountName and sign
in with `az login`. The identity needs the role Storage Table Data Contributor; `key` also needs
Storage Blob Data Contributor.
"""


def parser() -> argparse.ArgumentParser:
    """All commands with their help."""
    whole = argparse.ArgumentParser(
        prog="slipway",
        description=(
            "Manage who can use a Slipway registry, check that a registry works, and estimate its "
            "cost."
        ),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    nouns = whole.add_subparsers(required=True, metavar="COMMAND")
    for module in (tokens, scope_maps, role_assignments, keys, whoami, smoke, cost):
        module.register(nouns)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; 0, or 1 if it could not be done. Exits with 2 for arguments that are none."""
    parsed = parser().parse_args(arguments)
    logging.getLogger("azure").addHandler(logging.NullHandler())  # What it says is said below.
    try:
        result: Result = asyncio.run(parsed.run(parsed))
    except (CommandError, SettingsError) as error:
        say(f"slipway: {error}")
        return 1
    except Ambiguous:
        say("slipway: storage did not answer. It may or may not be done: check, and try again")
        return 1
    except Refused as error:
        say(f"slipway: {_advice(error)}")
        return 1
    except (StorageFault, Unavailable, OSError) as error:
        say(
            f"slipway: storage cannot be reached or refused the request ({error}). Check "
            "RegistryStorage. The identity needs the role Storage Table Data Contributor"
        )
        return 1
    if isinstance(result, Sequence) and not result and parsed.output == "table":
        say("Nothing found.")
    if result is not None:
        sys.stdout.write(render(result, parsed.output))
    return 0


def _advice(error: Refused) -> str:
    if not error.is_signed_in:
        return "you are not signed in to Azure: run az login, or set RegistryStorage"
    return (
        f"storage refused the request ({error.code}). The identity needs the role Storage Table "
        "Data Contributor on the account; for keys, also Storage Blob Data Contributor on the "
        "container system. A new role takes some minutes to work. If RegistryStorage is a "
        "connection string, check the key in it"
    )
