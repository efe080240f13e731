"""As whom a command signs in: the first place that has a credential for the registry decides."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway_cli.command import UsageError, read_password
from slipway_cli.registry.credential_files import (
    Credential,
    CredentialFile,
    Found,
    Unusable,
    files,
)
from slipway_cli.registry.server import Server


@dataclass
class SignIn:
    """As whom to sign in, and what was found out on the way."""

    found: Found | None = None
    """None: as nobody."""
    may_use_azure: bool = False
    """Whether to try the sign-in of `az`, as nothing else was found."""
    notes: list[str] = field(default_factory=list)
    """Each place that could not be asked, with the reason."""
    is_verbose: bool = False
    """Whether to say as whom one signs in."""


async def find(arguments: argparse.Namespace, server: Server, repository: str = "") -> SignIn:
    """As whom to sign in to a registry, for a repository of it if one is named.

    The arguments are those that `arguments.registry` adds. Raises `CommandError`.
    """
    found = _typed(arguments) or _from_environment(os.environ)
    if found is not None:
        sign_in = SignIn(found)
    else:
        sign_in = await asyncio.to_thread(_kept, os.environ, server, repository)
    sign_in.is_verbose = arguments.verbose
    return sign_in


def _typed(arguments: argparse.Namespace) -> Found | None:
    username = arguments.username
    if not username and arguments.password_stdin:
        username = os.environ.get("SLIPWAY_USERNAME", "")
        if not username:
            raise UsageError("--password-stdin: use --username as well")
    if not username:
        return None
    return Found(Credential(username, read_password(arguments)), "--username")


def _from_environment(environment: Mapping[str, str]) -> Found | None:
    username = environment.get("SLIPWAY_USERNAME", "")
    password = environment.get("SLIPWAY_PASSWORD", "")
    if bool(username) != bool(password):
        missing = "SLIPWAY_PASSWORD" if username else "SLIPWAY_USERNAME"
        raise UsageError(f"{missing} is not set: set both SLIPWAY_USERNAME and SLIPWAY_PASSWORD")
    return Found(Credential(username, password), "SLIPWAY_USERNAME") if username else None


def _kept(environment: Mapping[str, str], server: Server, repository: str) -> SignIn:
    sign_in = SignIn()
    for path in files(environment):
        try:
            file = CredentialFile.read(path)
        except Unusable as error:
            sign_in.notes.append(str(error))
            continue
        found = file.find(server.netloc, repository, sign_in.notes) if file else None
        if found is not None:
            sign_in.found = found
            return sign_in
    sign_in.may_use_azure = _may_use_azure(environment, server, sign_in.notes)
    return sign_in


def _may_use_azure(environment: Mapping[str, str], server: Server, notes: list[str]) -> bool:
    """Whether a token of Entra ID may go to this registry.

    It is good for every registry of its owner. So it goes to none that was merely named in a
    reference, which may be somebody else's.
    """
    if shutil.which("az", path=environment.get("PATH")) is None:
        return False
    own = environment.get("SLIPWAY_REGISTRY", "")
    try:
        is_own = bool(own) and Server.parse(own, "SLIPWAY_REGISTRY") == server
    except UsageError:
        is_own = False
    if not is_own:
        notes.append(
            f"the sign-in of az is used only for the registry in SLIPWAY_REGISTRY, which is not "
            f"{server.netloc}"
        )
    return is_own
