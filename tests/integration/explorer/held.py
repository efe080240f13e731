"""What a lock protects from the moment at which its request was answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from registry_core.model.digest import Digest
from tests.integration.explorer.requests import Request
from tests.integration.explorer.world import Visible


@dataclass(frozen=True)
class Held:
    """A lock, and what was visible when it was answered with success."""

    request: Request
    then: Visible

    def overtaken(self, now: Visible, *, is_unlocked: bool) -> list[str]:
        """What the lock protected and has changed since, in words; none if it has held.

        `is_unlocked` says that somebody takes locks away: then one may be gone, and holds nothing.
        """
        return list(self._overtaken(now, is_unlocked))

    def _overtaken(self, now: Visible, is_unlocked: bool) -> Iterator[str]:
        _, target, attribute = self.request.words
        if (_key(target), attribute) not in now.locks:
            if not is_unlocked:
                yield f"{target} was locked when that was answered, and is not: {attribute}"
        elif target == "repository":
            yield from self._repository(attribute, now)
        elif Digest.looks_like(target):
            yield from self._manifest(target, now)
        else:
            yield from self._tag(target, attribute, now)

    def _repository(self, attribute: str, now: Visible) -> Iterator[str]:
        if not now.is_listed:
            yield "the repository has gone after it was locked"
        if attribute != "WriteEnabled":
            return
        for kind in ("manifests", "tags", "referrers"):
            then, later = getattr(self.then, kind), getattr(now, kind)
            if then != later:
                yield f"{kind} changed after the lock was answered: {set(then)}, {set(later)}"
        if not self.then.blobs <= now.blobs:
            gone = set(self.then.blobs - now.blobs)
            yield f"blobs went after the lock was answered: {gone}"

    def _manifest(self, digest: str, now: Visible) -> Iterator[str]:
        if digest not in now.manifests:
            yield f"{digest} has gone after the lock was answered"
        if self.request.words[2] == "WriteEnabled":
            new = {tag for tag, of in now.tags - self.then.tags if of == digest}
            if new:
                yield f"{digest} got tags after the lock was answered: {new}"

    def _tag(self, tag: str, attribute: str, now: Visible) -> Iterator[str]:
        then, later = dict(self.then.tags).get(tag), dict(now.tags).get(tag)
        if later is None:
            yield f"{tag} has gone after the lock was answered"
        elif attribute == "WriteEnabled" and then != later:
            yield f"{tag} moved after the lock was answered: {then}, {later}"


def _key(target: str) -> str:
    if target == "repository":
        return "h"
    return f"m:{target}" if Digest.looks_like(target) else f"t:{target}"
