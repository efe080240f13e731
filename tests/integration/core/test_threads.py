"""What takes the processor for long runs beside the event loop: rule T6 of `docs/time.md`."""

import json
import secrets
import threading
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import JSONResponse

from registry_core.model.digest import Digest
from registry_core.model.manifest import Manifest
from registry_core.model.threads import SMALL
from tests.integration.core.support import OCI_INDEX, Client, Image, digest_of, index_of

NEAR_THE_LIMIT = 3 * 1024 * 1024
"""Of the 4 MiB that a manifest may have."""


class Seen:
    """In which threads functions were called, with how much."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.threads: set[int] = set()

    def watch(self, holder: Any, name: str, size: Callable[..., int]) -> None:
        """Notes the thread of each call about more than `SMALL` bytes."""
        function = getattr(holder, name)

        def watched(*args: Any, **options: Any) -> Any:
            if size(*args) > SMALL:
                self.threads.add(threading.get_ident())
            return function(*args, **options)

        self._monkeypatch.setattr(holder, name, watched)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    return Seen(monkeypatch)


def filling(size: int = NEAR_THE_LIMIT) -> dict[str, str]:
    """Annotations that make a manifest large."""
    return {"fill": secrets.token_hex(size // 2)}


def large(image: Image, **extra: Any) -> Image:
    return image.with_manifest(annotations=filling(), **extra)


@pytest.mark.rule("T6")
async def test_a_large_manifest_is_parsed_and_digested_beside_the_event_loop(
    client: Client, repository: str, seen: Seen
) -> None:
    image = large(await client.push_image(repository, "v1"))
    seen.watch(json, "loads", lambda text, *_: len(text))
    seen.watch(Digest, "of", lambda content, *_: len(content))
    assert (await client.put_manifest(repository, "v2", image.manifest)).status_code == 201
    assert seen.threads
    assert threading.get_ident() not in seen.threads
    filled = index_of([image.descriptor], annotations=filling())
    assert (await client.put_manifest(repository, "all", filled, OCI_INDEX)).status_code == 201
    # A deletion reads an index for its children; what an image needs is in its row.
    seen.threads.clear()
    answer = await client.send("DELETE", f"/v2/{repository}/manifests/{digest_of(filled)}")
    assert answer.status_code == 202
    assert seen.threads
    assert threading.get_ident() not in seen.threads


@pytest.mark.rule("T6")
async def test_a_page_of_large_referrers_is_read_and_written_beside_the_event_loop(
    client: Client, repository: str, seen: Seen
) -> None:
    subject = await client.push_image(repository, "v1")
    referrer = large(subject, subject=subject.descriptor)
    answer = await client.put_manifest(repository, referrer.digest, referrer.manifest)
    assert answer.status_code == 201
    watched = lambda document, *_: len(str(document))  # noqa: E731 - a parameter
    seen.watch(json, "loads", watched)
    seen.watch(json, "dumps", watched)
    seen.watch(JSONResponse, "render", lambda _, content: len(str(content)))
    page = await client.send("GET", f"/v2/{repository}/referrers/{subject.digest}")
    ours, seen.threads = seen.threads, set()
    assert page.json()["manifests"][0]["digest"] == referrer.digest
    assert ours
    assert threading.get_ident() not in ours


@pytest.mark.rule("T6")
async def test_a_small_manifest_costs_no_thread(
    client: Client, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = await client.push_image(repository, "v1")
    parsed: list[int] = []
    parse = Manifest.parse

    def watched(*args: Any) -> Manifest:
        parsed.append(threading.get_ident())
        return parse(*args)

    monkeypatch.setattr(Manifest, "parse", watched)
    assert (await client.put_manifest(repository, "v2", image.manifest)).status_code == 201
    assert parsed == [threading.get_ident()]
