"""The files in which docker and podman keep credentials, and the helpers that the files name.

See `containers-auth.json(5)`, and "Credential helpers" of `docker login`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HELPER_SECONDS = 60
"""How long a helper may take: it may have to ask its user."""
_REFRESH_TOKEN = "<token>"  # noqa: S105 - the user name that stands for a refresh token
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Credential:
    """Who signs in."""

    username: str
    """Empty where the secret alone says it."""
    secret: str = field(repr=False)
    is_refresh_token: bool = False


@dataclass(frozen=True)
class Found:
    """A credential, and where it was found."""

    credential: Credential
    source: str


class Unusable(Exception):
    """A place that should have a credential can't be asked; the text says why."""


def files(environment: Mapping[str, str]) -> Iterator[Path]:
    """The files, the first to look at first."""
    home = Path(environment.get("HOME") or Path("~").expanduser())
    if named := environment.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        yield Path(runtime, "containers", "auth.json")
    yield Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "containers", "auth.json")
    yield Path(environment.get("DOCKER_CONFIG") or home / ".docker", "config.json")


class CredentialFile:
    """What one file says."""

    def __init__(self, path: Path, document: Mapping[str, Any]) -> None:
        self._path = path
        self._document = document

    @classmethod
    def read(cls, path: Path) -> CredentialFile | None:
        """The file; None if there is none. Raises `Unusable`."""
        try:
            document = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise Unusable(f"{path} cannot be read ({_reason(error)})") from error
        if not isinstance(document, dict):
            raise Unusable(f"{path} cannot be read (it is no object of JSON)")
        return cls(path, document)

    def find(self, host: str, repository: str, notes: list[str]) -> Found | None:
        """The credential for a repository of a host, or for the host if the name is empty.

        What could not be asked is noted.
        """
        for name in self._helpers(host):
            try:
                credential = ask_helper(name, host)
            except Unusable as error:
                notes.append(str(error))
                continue
            if credential is not None:
                return Found(credential, f"docker-credential-{name}, named in {self._path}")
        credential = self._kept(host, repository, notes)
        return Found(credential, str(self._path)) if credential else None

    def _helpers(self, host: str) -> Iterator[str]:
        """The helpers that may know the host, its own before that for all."""
        own = self._section("credHelpers").get(host)
        for name in (own, self._document.get("credsStore")):
            if isinstance(name, str) and name:
                yield name

    def _kept(self, host: str, repository: str, notes: list[str]) -> Credential | None:
        """What lies in the file itself, by the longest key."""
        kept = {_key(name): entry for name, entry in self._section("auths").items()}
        for key in keys(host, repository):
            entry = kept.get(key)
            if not isinstance(entry, dict) or not entry:
                continue
            try:
                credential = _credential(entry)
            except (ValueError, TypeError):
                notes.append(f"{self._path} has a credential for {key} that cannot be read")
                continue
            if credential is not None:
                return credential
        return None

    def _section(self, name: str) -> Mapping[str, Any]:
        found = self._document.get(name)
        return found if isinstance(found, dict) else {}


def keys(host: str, repository: str) -> Iterator[str]:
    """The keys under which a credential may lie, the longest first: `host/team/web` … `host`."""
    levels = repository.split("/") if repository else []
    for count in range(len(levels), -1, -1):
        yield "/".join([host, *levels[:count]])


def _key(name: str) -> str:
    """A key as `keys` spells it: docker wrote addresses (`https://host/v1/`), podman names."""
    scheme, mark, rest = name.partition("://")
    if not mark:
        return _lower_host(scheme.rstrip("/"))
    return rest.partition("/")[0].lower()


def _lower_host(name: str) -> str:
    host, mark, rest = name.partition("/")
    return f"{host.lower()}{mark}{rest}"


def _credential(entry: Mapping[str, Any]) -> Credential | None:
    """What an entry of `auths` holds, if anything. Raises `ValueError`, `TypeError`."""
    username, password = entry.get("username") or "", entry.get("password") or ""
    if text := entry.get("auth"):
        username, mark, password = b64decode(text, validate=True).decode().partition(":")
        if not mark:
            raise ValueError("there is no colon in it")
    if token := entry.get("identitytoken"):
        if not isinstance(token, str):
            raise TypeError("the token is no text")
        return Credential(username, token, is_refresh_token=True)
    if not username or not password:
        return None
    # Some old files end it with a zero.
    return _of_pair(str(username), str(password).rstrip("\0"))


def _of_pair(username: str, secret: str) -> Credential:
    if username == _REFRESH_TOKEN:
        return Credential("", secret, is_refresh_token=True)
    return Credential(username, secret)


def ask_helper(name: str, host: str) -> Credential | None:
    """What a helper knows of a host; None if that is nothing. Raises `Unusable`."""
    program = f"docker-credential-{name}"
    path = shutil.which(program) if _HELPER_NAME.fullmatch(name) else None
    if path is None:
        raise Unusable(f"the credential helper {program} is not installed")
    try:
        ended = subprocess.run(
            [path, "get"],
            input=host.encode(),
            capture_output=True,
            timeout=HELPER_SECONDS,
            env=os.environ,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unusable(f"the credential helper {program} does not work ({_reason(error)})") from (
            None if isinstance(error, subprocess.TimeoutExpired) else error
        )
    if ended.returncode:
        if b"not found" in ended.stdout + ended.stderr:
            return None
        raise Unusable(f"the credential helper {program} ended with status {ended.returncode}")
    try:
        answer = json.loads(ended.stdout)
        username, secret = answer["Username"], answer["Secret"]
    except (ValueError, LookupError, TypeError, RecursionError):
        # Without the answer, which may hold the secret.
        raise Unusable(f"the answer of the credential helper {program} cannot be read") from None
    return _of_pair(str(username), str(secret)) if secret else None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no answer within {HELPER_SECONDS} seconds"
    return "it is no JSON"
