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
It works on the registry's storage: with a connection string in RegistryStorage, or with
RegistryStorage__accountName and a sign-in (az login) that has the role Storage Table Data
Contributor there, and for `key` Storage Blob Data Contributor.
"""


def parser() -> argparse.ArgumentParser:
    """All commands with their help."""
    whole = argparse.ArgumentParser(
        prog="slipway",
        description=(
            "Manages who gets into a Slipway registry, sees whether one works, and tells what one "
            "costs."
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
        say("slipway: storage did not answer, so it may be done or not: look, and repeat")
        return 1
    except Refused as error:
        say(f"slipway: {_advice(error)}")
        return 1
    except (StorageFault, Unavailable, OSError) as error:
        say(
            f"slipway: storage cannot be reached, or does not allow it ({error}). Is "
            "RegistryStorage right, and has the identity the role Storage Table Data Contributor?"
        )
        return 1
    if isinstance(result, Sequence) and not result and parsed.output == "table":
        say("There are none.")
    if result is not None:
        sys.stdout.write(render(result, parsed.output))
    return 0


def _advice(error: Refused) -> str:
    if not error.is_signed_in:
        return "nobody is signed in to Azure here: run az login, or set RegistryStorage"
    return (
        f"storage does not allow it ({error.code}). Has the identity the role Storage Table Data "
        "Contributor on the account, and for keys Storage Blob Data Contributor on the container "
        "system? A role counts some minutes after it was given. With a connection string in "
        "RegistryStorage: is the key in it right?"
    )
