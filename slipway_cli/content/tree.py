"""`slipway manifest tree`: an index, its manifests, and what refers to each of them."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from registry_core.model import media_types
from slipway_cli.command import Row, Shaped
from slipway_cli.content import answers
from slipway_cli.content.manifests import fetch, kind_of, platform_of
from slipway_cli.content.session import Session, digest_of, session
from slipway_cli.output.cells import DigestCell, Size, count, short_digest, size_text
from slipway_cli.output.terminal import Terminal
from slipway_cli.output.text import clean
from slipway_cli.registry import references
from slipway_cli.registry.client import Missing, quoted, repository_scope

_SUFFIXES = (".sig", ".att", ".sbom")
"""Of the tags by which cosign attaches a signature, an attestation and an SBOM."""
_ATTESTED = "vnd.docker.reference.digest"
"""The annotation by which BuildKit says of what a manifest in an index is the attestation."""


@dataclass
class _Node:
    """A manifest in the tree."""

    digest: str
    kind: str
    relation: str = ""
    """What it is to the one above: `child`, `referrer`, or the tag that attaches it."""
    platform: str = ""
    size: int | None = None
    note: str = ""
    children: list[_Node] = field(default_factory=list)
    referrers: list[_Node] = field(default_factory=list)

    @property
    def below(self) -> list[_Node]:
        """What hangs below it."""
        return [*self.children, *self.referrers]

    def all(self, depth: int = 0) -> Iterator[tuple[int, _Node]]:
        """It and all below it, with how deep each is."""
        yield depth, self
        for each in self.below:
            yield from each.all(depth + 1)

    @property
    def document(self) -> dict[str, object]:
        """For programs."""
        return {
            "digest": self.digest,
            "kind": self.kind,
            "relation": self.relation or None,
            "platform": self.platform or None,
            "size": self.size,
            "children": [each.document for each in self.children],
            "referrers": [each.document for each in self.referrers],
        }


async def show(arguments: argparse.Namespace) -> Shaped:
    """What belongs to a manifest."""
    named = references.manifest(arguments)
    async with session(arguments, named.server, named.repository) as client:
        # By its digest from here on: the tag may be pointed elsewhere meanwhile.
        digest = await digest_of(client, named)
        root = await _Walk(client, named.repository).root(digest)
    referrers = sum(len(each.referrers) for _, each in root.all())
    children = len(root.children)
    total = [f"{count(children, 'manifest')} in the index"] if root.kind == "index" else []
    total.append(count(referrers, "referrer") if referrers else "no referrers")
    terminal = Terminal.of_output()
    lines = [_told(root, terminal), *_drawn(root, "", terminal), ", ".join(total)]
    rows: list[Row] = [_row(depth, each) for depth, each in root.all()]
    return Shaped(rows, root.document, "\n".join(lines) + "\n")


class _Walk:
    """Goes from a manifest to all that belongs to it, to each once."""

    def __init__(self, client: Session, repository: str) -> None:
        self._client = client
        self._repository = repository
        self._scope = repository_scope(repository, "pull")
        self._seen = set[str]()

    async def root(self, digest: str) -> _Node:
        """The tree from one manifest on."""
        content = await fetch(self._client, self._repository, digest)
        node = _Node(digest, _kind_of_content(content))
        await self._grow(node, content)
        return node

    async def _grow(self, node: _Node, content: dict[str, Any] | None) -> None:
        if node.digest in self._seen:
            node.note = "shown above"
            return
        self._seen.add(node.digest)
        self._client.progress.show(count(len(self._seen), "manifest"))
        if content is None and node.kind == "index":
            content = await self._fetched(node)
        if node.kind == "index":
            entries = answers.listed((content or {}).get("manifests"), answers.DESCRIPTOR)
            node.children = [_child(entry) for entry in entries]
        node.referrers = await self._referrers(node.digest)
        for each in node.below:
            await self._grow(each, None)

    async def _fetched(self, node: _Node) -> dict[str, Any] | None:
        try:
            return await fetch(self._client, self._repository, node.digest)
        except Missing:
            node.note = "not in this repository"
            return None

    async def _referrers(self, digest: str) -> list[_Node]:
        api, tagged = await asyncio.gather(
            self._referrers_by_api(digest),
            asyncio.gather(*(self._tagged(digest, each) for each in _SUFFIXES)),
        )
        known = {each.digest for each in api}
        return [*api, *(each for each in tagged if each and each.digest not in known)]

    async def _referrers_by_api(self, digest: str) -> list[_Node]:
        path = f"/v2/{self._repository}/referrers/{quoted(digest)}"
        found: list[_Node] = []
        async for page in self._client.pages(path, self._scope, "manifests"):
            for entry in answers.listed(page, answers.DESCRIPTOR):
                kind = str(entry.get("artifactType") or kind_of(entry))
                found.append(_node(entry, kind.removeprefix("application/"), "referrer"))
        return found

    async def _tagged(self, digest: str, suffix: str) -> _Node | None:
        """What a tag of cosign attaches."""
        tag = digest.replace(":", "-") + suffix
        accept = {"Accept": ", ".join(sorted(media_types.MANIFESTS))}
        path = f"/v2/{self._repository}/manifests/{quoted(tag)}"
        answer = await self._client.send("HEAD", path, self._scope, headers=accept)
        found = answer.headers.get("docker-content-digest", "")
        if answer.status != 200 or not found:
            return None
        kind = {".sig": "signature", ".att": "attestation", ".sbom": "SBOM"}[suffix]
        return _Node(found, kind, f"tag {tag}")


def _kind_of_content(content: dict[str, Any]) -> str:
    config = content.get("config")
    config_type = config.get("mediaType") if isinstance(config, dict) else ""
    return kind_of({**content, "configMediaType": config_type})


def _child(entry: dict[str, Any]) -> _Node:
    annotations = entry.get("annotations")
    attested = annotations.get(_ATTESTED) if isinstance(annotations, dict) else None
    if attested:
        node = _node(entry, "attestation", "child")
        node.note, node.platform = f"of {short_digest(str(attested))}", ""
        return node
    return _node(entry, kind_of(entry), "child")


def _node(entry: dict[str, Any], kind: str, relation: str) -> _Node:
    platform, size = entry.get("platform"), entry.get("size")
    return _Node(
        entry["digest"],
        kind,
        relation,
        platform_of(platform) if isinstance(platform, dict) else "",
        size if isinstance(size, int) else None,
    )


def _row(depth: int, node: _Node) -> Row:
    return {
        "depth": depth,
        "relation": node.relation,
        "digest": DigestCell(node.digest),
        "kind": node.kind,
        "platform": node.platform,
        "size": Size(node.size),
    }


def _drawn(node: _Node, indent: str, terminal: Terminal | None) -> Iterator[str]:
    for each in node.below:
        is_last = each is node.below[-1]
        yield f"{indent}{'└── ' if is_last else '├── '}{_told(each, terminal)}"
        yield from _drawn(each, indent + ("    " if is_last else "│   "), terminal)


def _told(node: _Node, terminal: Terminal | None) -> str:
    digest = short_digest(node.digest) if terminal else node.digest
    detail = [node.platform, "" if node.size is None else size_text(node.size)]
    if node.relation.startswith("tag "):
        detail.append(node.relation)
    if node.note:
        detail.append(node.note)
    text = "  ".join(clean(part) for part in (node.kind, *detail) if part)
    return f"{terminal.bold(digest) if terminal else clean(digest)}  {text}"
