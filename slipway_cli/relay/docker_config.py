"""The relay's password in docker's configuration, as long as the relay runs."""

from __future__ import annotations

import json
import os
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from slipway_cli.command import CommandError


def path_in(environment: Mapping[str, str]) -> Path:
    """Where docker keeps credentials; podman, buildah and skopeo look there as well."""
    home = environment.get("HOME") or Path("~").expanduser()
    return Path(environment.get("DOCKER_CONFIG") or Path(home, ".docker"), "config.json")


@contextmanager
def signed_in(path: Path, address: str, username: str, password: str) -> Iterator[None]:
    """Adds a password for an address, and takes it away at the end. Raises `CommandError`."""
    entry = {"auth": b64encode(f"{username}:{password}".encode()).decode()}
    _change(path, address, entry)
    try:
        yield
    finally:
        with suppress(CommandError):  # It is of no use to anybody any more.
            _change(path, address, None)


def _change(path: Path, address: str, entry: Mapping[str, str] | None) -> None:
    path = path.resolve()  # The file behind a link, and not the link, is written anew.
    document = _read(path)
    known, helpers = document.setdefault("auths", {}), document.setdefault("credHelpers", {})
    if entry is not None:
        known[address] = dict(entry)
        if "credsStore" in document:
            # For this address docker is to look here, and not to ask the helper for all.
            helpers[address] = ""
    else:
        known.pop(address, None)
        helpers.pop(address, None)
    for name in ("auths", "credHelpers"):
        if not document[name]:
            del document[name]
    _write(path, document)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
        if all(isinstance(document.get(name, {}), dict) for name in ("auths", "credHelpers")):
            return dict(document)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CommandError(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, AttributeError, RecursionError):
        pass
    raise CommandError(f"{path} cannot be read: it is no configuration of docker")


def _write(path: Path, document: Mapping[str, Any]) -> None:
    """Puts a new file in the place of the old one, whole, and for its owner alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        number, name = tempfile.mkstemp(dir=path.parent, prefix=".config-")
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                json.dump(document, file, indent="\t")
                file.write("\n")
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink()
            raise
    except OSError as error:
        raise CommandError(f"{path} cannot be written ({error.strerror})") from error
