"""The repository that is pushed to: what it has, what can be mounted into it, its manifests."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence

from registry_core.model.digest import Digest
from slipway_cli.command import CommandError
from slipway_cli.push.plan import PlannedManifest
from slipway_cli.registry.client import Scope
from slipway_cli.registry.server import Answer
from slipway_cli.relay.scopes import pushing
from slipway_cli.relay.session import Session
from slipway_cli.relay.upstream import Upstream

_MOUNTED, _BEGUN = 201, 202
_MAY_NOT = (401, 403)


class Destination:
    """A repository, and those from which its blobs may be mounted."""

    def __init__(self, upstream: Upstream, repository: str, sources: Sequence[str] = ()) -> None:
        self._upstream = upstream
        self._repository = repository
        self.sources = list(sources)

    async def has(self, digest: Digest) -> bool:
        """Whether a blob is there. Raises `CommandError`."""
        path = f"/v2/{self._repository}/blobs/{digest}"
        answer = await self._upstream.patiently("HEAD", path, self._scope)
        if answer.status == 404:
            return False
        self._expect(answer, 200, 307)
        return True

    async def begin(self, digest: Digest | None) -> Session | None:
        """An upload; None if there is no need of one, because the blob could be mounted.

        Raises `CommandError`.
        """
        if digest is None:
            return await Session.begin(self._upstream, self._repository)
        for source in self.sources:
            answer = await self._mount(digest, source)
            if answer.status == _MOUNTED:
                return None
            if answer.status not in (_BEGUN, *_MAY_NOT):
                self._expect(answer, _BEGUN)
        # Without a name, the registry looks for a source itself.
        answer = await self._mount(digest)
        if answer.status == _MOUNTED:
            return None
        self._expect(answer, _BEGUN)
        return Session.of(self._upstream, self._repository, answer)

    async def put(self, manifest: PlannedManifest, content: bytes, reference: str) -> None:
        """A manifest, by its digest or under a tag. Raises `CommandError`."""
        path = f"/v2/{self._repository}/manifests/{reference}"
        kind = {"Content-Type": manifest.media_type}
        answer = await self._upstream.patiently("PUT", path, self._scope, kind, content)
        self._expect(answer, 201)
        told = answer.headers.get("docker-content-digest", str(manifest.digest))
        if told != str(manifest.digest):
            raise CommandError(f"the registry took the manifest for another one: {told}")

    async def _mount(self, digest: Digest, source: str = "") -> Answer:
        query = {"mount": str(digest), **({"from": source} if source else {})}
        path = f"/v2/{self._repository}/blobs/uploads/?{urllib.parse.urlencode(query)}"
        scope = pushing(self._repository, source)
        return await self._upstream.patiently("POST", path, scope, body=b"")

    @property
    def _scope(self) -> Scope:
        return pushing(self._repository)

    def _expect(self, answer: Answer, *statuses: int) -> None:
        if answer.status not in statuses:
            raise self._upstream.client.refused(answer, self._scope)
