"""What a command names: a registry, a repository of it, a tag or a manifest.

`registry.example.com/team/web:v1` as docker and crane write it, without the registry where another
flag or SLIPWAY_REGISTRY names it; or in the flags of `az acr`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from registry_core.errors import RegistryError
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag
from slipway_cli.command import UsageError
from slipway_cli.output.text import clean
from slipway_cli.registry.server import Server

_Parsed = TypeVar("_Parsed")
_DEFAULT = "SLIPWAY_REGISTRY"
_IN_TEXT = "the registry"
"""What an error calls it: to repeat it could repeat a password."""


@dataclass(frozen=True)
class Reference:
    """A repository, a tag or a manifest of a registry."""

    server: Server
    repository: str
    """Empty: the registry itself."""
    tag: str = ""
    digest: str = ""
    """Where both are there, the digest counts."""

    @property
    def short(self) -> str:
        """Without the registry."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}{f'@{self.digest}' if self.digest else ''}"


@dataclass(frozen=True)
class Named:
    """What the arguments name, before it is understood."""

    texts: Sequence[str]
    """References: with a registry, or of `registry`."""
    registry: str
    """Named by a flag; empty if none does."""
    flag: str = "--registry"

    @classmethod
    def by(cls, arguments: argparse.Namespace) -> Named:
        """In which of the ways it was named.

        `az acr` uses `--name` for the registry in some groups and for the repository in others:
        it is the registry where something else names the repository. Raises `UsageError`.
        """
        found = [*_listed(arguments, "reference"), *_listed(arguments, "repository")]
        found += _listed(arguments, "image")
        if len(found) > 1 and len(found) != len(_listed(arguments, "reference")):
            raise UsageError("name the repository once: as an argument, by --repository or --image")
        registry, name = arguments.registry or "", arguments.name or ""
        if not name:
            return cls(found, registry)
        if not found and not getattr(arguments, "is_about_registry", False):
            return cls([name], registry)
        if registry:
            raise UsageError("name the registry once: by --registry or by --name")
        return cls(found, name, "--name")


def _listed(arguments: argparse.Namespace, name: str) -> list[str]:
    found = getattr(arguments, name, None)
    if found is None:
        return []
    return list(found) if isinstance(found, list) else [found]


def repository(arguments: argparse.Namespace) -> Reference:
    """The one repository that a command is about. Raises `UsageError`."""
    found = _one(arguments)
    if found.tag or found.digest:
        raise UsageError(
            f"{found.short}: name the repository alone; `slipway manifest` and `slipway tag` are "
            "for what is in it"
        )
    return found


def manifest(arguments: argparse.Namespace) -> Reference:
    """The one manifest, by a tag or its digest. Raises `UsageError`."""
    return _with_manifest(_one(arguments))


def manifests(arguments: argparse.Namespace) -> list[Reference]:
    """Manifests of one repository, by tags or digests. Raises `UsageError`."""
    return [_with_manifest(each) for each in _several(arguments)]


def tags(arguments: argparse.Namespace) -> list[Reference]:
    """Tags of one repository. Raises `UsageError`."""
    found = _several(arguments)
    for each in found:
        if not each.tag or each.digest:
            raise UsageError(f"{each.short}: name a tag, such as {each.repository}:v1")
    return found


def repositories(arguments: argparse.Namespace) -> tuple[Server, list[str]]:
    """A registry and repositories of it; none, where the registry is named alone.

    Raises `UsageError`.
    """
    named = Named.by(arguments)
    texts = list(dict.fromkeys(named.texts))
    is_alone = len(texts) == 1 and not named.registry and "/" not in texts[0]
    if is_alone and _is_host(texts[0]):
        return Server.parse(texts[0], _IN_TEXT), []
    server = _named_server(named) if named.registry else None
    if not texts:
        return server or _default(os.environ), []
    found = [parse(text, server, os.environ) for text in texts]
    for each in found:
        if each.tag or each.digest:
            raise UsageError(f"{each.short}: name the repository alone")
        if each.server != found[0].server:
            raise UsageError(f"{found[0].short} and {each.short} are of different registries")
    return found[0].server, [each.repository for each in found]


def prefix(arguments: argparse.Namespace) -> tuple[Server, str]:
    """A registry, and with what the names of its repositories are to begin. Raises `UsageError`."""
    named = Named.by(arguments)
    text = named.texts[0] if named.texts else ""
    address, rest = split(text)
    if not address and not named.registry and _is_host(text):
        address, rest = text, ""
    if named.registry:
        server = _named_server(named)
        return server, rest if address and _is_same(address, server) else text
    return (Server.parse(address, _IN_TEXT), rest) if address else (_default(os.environ), text)


def registry(name: str | None, flag: str) -> Server:
    """The registry of that name, or the default without one. Raises `UsageError`."""
    return _named_server(Named([], name, flag)) if name else _default(os.environ)


def _one(arguments: argparse.Namespace) -> Reference:
    found = _several(arguments)
    if len(found) > 1:
        raise UsageError(f"name one: {found[0].short} or {found[1].short}")
    return found[0]


def _several(arguments: argparse.Namespace) -> list[Reference]:
    named = Named.by(arguments)
    if not named.texts:
        raise UsageError("name the repository, such as registry.example.com/team/web")
    server = _named_server(named) if named.registry else None
    found = [parse(text, server, os.environ) for text in dict.fromkeys(named.texts)]
    first = found[0]
    for each in found:
        if (each.server, each.repository) != (first.server, first.repository):
            raise UsageError(f"{first.short} and {each.short} are of different repositories")
    return found


def _with_manifest(found: Reference) -> Reference:
    if not found.tag and not found.digest:
        raise UsageError(
            f"{found.short}: name a tag or a digest of it, such as {found.repository}:v1"
        )
    return found


def parse(text: str, server: Server | None, environment: Mapping[str, str]) -> Reference:
    """A reference; of `server`, if a flag named one, else of the registry in it, or the default.

    Raises `UsageError`.
    """
    address, rest = split(text)
    if server is None:
        server = Server.parse(address, _IN_TEXT) if address else _default(environment)
    elif not (address and _is_same(address, server)):
        rest = text
    rest, _, digest = rest.partition("@")
    name, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        name, colon, tag = rest, "", ""
    return Reference(
        server,
        _parsed(RepositoryName.parse, name),
        _parsed(Tag.parse, tag) if colon else "",
        _parsed(Digest.parse, digest) if "@" in text else "",
    )


def split(text: str) -> tuple[str, str]:
    """The registry in a reference, if there is one, and the rest.

    As docker tells it: what stands before the first slash is a registry if it has a dot or a
    colon, or is localhost.
    """
    scheme, mark, rest = text.partition("://")
    if mark:
        host, _, rest = rest.partition("/")
        return f"{scheme}://{host}", rest
    host, slash, rest = text.partition("/")
    return (host, rest) if slash and _is_host(host) else ("", text)


def _is_host(text: str) -> bool:
    return "." in text or ":" in text or text == "localhost"


def _is_same(address: str, server: Server) -> bool:
    return address.rpartition("://")[2].lower() == server.netloc


def _named_server(named: Named) -> Server:
    """The registry that a flag names, by its address or, of the default, by its first label."""
    name = named.registry
    if _is_host(name):
        return Server.parse(name, named.flag)
    default = os.environ.get(_DEFAULT, "")
    host = default.rpartition("://")[2]
    if default and host.partition(".")[0].lower() == name.lower():
        return Server.parse(default, _DEFAULT)
    raise UsageError(
        f"{named.flag}: {clean(name)} is no address: use one such as {clean(name)}.example.com, or "
        f"set {_DEFAULT} to it"
    )


def _default(environment: Mapping[str, str]) -> Server:
    address = environment.get(_DEFAULT, "")
    if not address:
        raise UsageError(
            "which registry? Write it before the repository, as in registry.example.com/team/web, "
            f"or use --registry, or set {_DEFAULT}"
        )
    return Server.parse(address, _DEFAULT)


def _parsed(parse_text: Callable[[str], _Parsed], text: str) -> str:
    try:
        return str(parse_text(text))
    except RegistryError as error:
        raise UsageError(f"{clean(text) or 'the name'}: {error.text}") from error
