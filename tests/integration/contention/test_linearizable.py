"""One tag that many clients push, read and delete at once, on two server processes.

What each of them was told is what it could have been told if one request had come after the other,
in an order that no client can tell from the real one. The answer is exact: every history is
searched to its end (`tests/linearizability`).

Reads by tag count at once. A manifest that is asked for by its digest may be answered from the
memory of an instance: then the answer may be as old as `REGISTRY_CACHE_TTL`, and never older; and
not older than a deletion of it on the same instance (rule R1).
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from registry_core.storage.connection import Connection
from tests.integration.conftest import TALLY
from tests.integration.contention.cluster import Cluster, Request, clients_of, variants
from tests.integration.contention.stored import misplaced, rows_of
from tests.integration.core.support import Image, digest_of
from tests.linearizability.checker import NEVER, Operation, check
from tests.linearizability.registry import Act, State, Verb, step

APP = Path(__file__).resolve().parents[2] / "unreliable"
PASSWORD = secrets.token_urlsafe(32)
TTL_SECONDS = 1
"""What is read by digest may be as old."""
CLIENTS = 6
MANIFESTS = 3
"""Few, so that clients bring back what others have deleted."""
MOST_TRIES = 10
ROUNDS = 40
"""Requests of each client."""
WEIGHTS = {Verb.PUSH: 4, Verb.UNTAG: 2, Verb.DELETE: 1, Verb.READ: 6, Verb.PULL: 3}
SHARES = {"storage-works": 0.0, "one-call-in-a-hundred-fails": 0.01}


@pytest.fixture(scope="module", params=list(SHARES))
def share(request: pytest.FixtureRequest) -> float:
    """The part of all storage calls that fail."""
    return SHARES[request.param]


@pytest.fixture(scope="module")
def hosts(azurite: Azurite, share: float) -> Iterator[list[HostProcess]]:
    def environment(seed: int) -> dict[str, str]:
        return {
            "RegistryStorage": azurite.connection_string,
            "REGISTRY_ADMIN_PASSWORD": PASSWORD,
            "REGISTRY_RATE_LIMITS": "off",
            "REGISTRY_CACHE_TTL": f"{TTL_SECONDS}s",
            "INTERFERENCE": json.dumps({"share": share, "seed": seed}),
        }

    with HostProcess(APP, environment(1)) as one, HostProcess(APP, environment(2)) as two:
        yield [one, two]


@pytest.fixture
async def cluster(hosts: list[HostProcess]) -> AsyncIterator[Cluster]:
    async with clients_of(hosts, PASSWORD, lambda _: None) as connected:
        yield connected


@dataclass
class Record:
    """What clients asked for and were told, with the times."""

    operations: list[Operation[Act]] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    deletions: dict[tuple[int, str], list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """Of each server and manifest: when its deletions were called, and when they returned."""

    def add(self, act: Act, server: int, begun: float, done: float, answer: httpx.Response) -> None:
        """Notes one answer."""
        self.statuses[f"{act.verb} {answer.status_code}"] += 1
        is_interfered = "x-interference" in answer.headers
        if answer.status_code == 503:
            assert "retry-after" in answer.headers
            if not act.is_read:
                # It may have had its effect, or still have it. What is tried again may have it
                # twice.
                self.operations += [Operation(begun, NEVER, act, is_optional=True)] * 2
            return
        told = replace(act, is_found=answer.status_code != 404, is_sure=not is_interfered)
        if act.verb is Verb.READ:
            digest = answer.headers.get("docker-content-digest", "")
            told = replace(told, digest=digest if told.is_found else "")
        elif act.verb is Verb.PULL and told.is_found:
            begun = self._oldest(server, act.digest, begun)
        self.operations.append(Operation(begun, done, told))
        if is_interfered and not told.is_read:
            # A write whose answer was lost is made again (rule F5), while the request lasts.
            self.operations.append(Operation(begun, done, told, is_optional=True))
        if act.verb is Verb.DELETE and told.is_found:
            self.deletions[server, act.digest].append((begun, done))

    def _oldest(self, server: int, digest: str, begun: float) -> float:
        """From when on what is answered now may have been true."""
        over = [called for called, returned in self.deletions[server, digest] if returned < begun]
        return max([begun - TTL_SECONDS, *over])


@dataclass
class Play:
    """One repository, and its clients."""

    cluster: Cluster
    repository: str
    images: Sequence[Image]
    record: Record = field(default_factory=Record)

    async def client(self, number: int, seed: int) -> None:
        """One client: its requests go one after the other, each to either server."""
        choose = random.Random(f"{seed} {number}")
        verbs = choose.choices(list(WEIGHTS), list(WEIGHTS.values()), k=ROUNDS)
        for verb in verbs:
            image = choose.choice(self.images)
            server = choose.randrange(len(self.cluster.servers))
            digest = "" if verb in (Verb.UNTAG, Verb.READ) else image.digest
            request = self.request(verb, image, is_head=choose.random() < 0.5)
            begun = time.monotonic()
            answer = await self.cluster.send(request, server)
            done = time.monotonic()
            if answer.status_code not in (200, 201, 202, 404, 503):
                said = self.cluster.servers[server].log.host.output
                raise AssertionError(f"{answer.status_code} {answer.text}\n{said[-8000:]}")
            if answer.status_code == 200 and request.method == "GET":
                told = answer.headers["docker-content-digest"]
                assert answer.content == next(i.manifest for i in self.images if i.digest == told)
            self.record.add(Act(verb, digest), server, begun, done, answer)

    def request(self, verb: Verb, image: Image, *, is_head: bool) -> Request:
        """What a client sends."""
        if verb is Verb.PUSH:
            return Request.put_manifest(self.repository, "latest", image.manifest)
        reference = "latest" if verb in (Verb.UNTAG, Verb.READ) else image.digest
        if verb in (Verb.UNTAG, Verb.DELETE):
            return Request.delete(self.repository, reference)
        asked = Request.get(self.repository, reference)
        return replace(asked, method="HEAD") if is_head else asked


async def push_blob(cluster: Cluster, repository: str, content: bytes) -> None:
    """Pushes a blob, as often as it takes where storage fails."""
    for _ in range(MOST_TRIES):
        begun = await cluster.send(Request("POST", f"/v2/{repository}/blobs/uploads/"))
        if begun.status_code == 202:
            url = f"{begun.headers['location']}&digest={digest_of(content)}"
            if (await cluster.send(Request("PUT", url, content))).status_code == 201:
                return
    raise AssertionError(f"a blob could not be pushed in {MOST_TRIES} tries")


@pytest.mark.rule("P4", "D1", "D2", "R1", "R4", "F1", "F5")
@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=pytest.mark.long if n > 2 else ()) for n in range(1, 9)]
)
async def test_what_clients_of_one_tag_are_told_at_once_has_an_order(
    cluster: Cluster,
    storage: Connection,
    repository: str,
    seed: int,
    share: float,
    record_property: Callable[[str, object], None],
) -> None:
    image = Image.make()
    images = variants(image, MANIFESTS)
    for blob in image.blobs:
        await push_blob(cluster, repository, blob)
    play = Play(cluster, repository, images)
    await asyncio.gather(*(play.client(number, seed) for number in range(CLIENTS)))
    record = play.record

    verdict = check(record.operations, State(), step, lambda act: act.is_read)
    assert verdict.is_linearizable, str(verdict)
    # Something happened, and each kind of it.
    for verb in Verb:
        assert any(op.act.verb is verb and op.act.is_found for op in record.operations), verb
    assert len(record.operations) >= 0.9 * CLIENTS * ROUNDS
    assert misplaced(await rows_of(storage, repository)) == []
    record_property(
        TALLY, f"linearizable, {share:.0%} fail: {dict(sorted(record.statuses.items()))}"
    )


@pytest.mark.rule("R1")
async def test_a_pull_from_memory_is_refused_as_exact_and_explained_as_a_second_old(
    cluster: Cluster, repository: str
) -> None:
    """The checker is not blind: what is known to be old has no order, unless its age counts."""
    image = Image.make()
    for blob in image.blobs:
        await push_blob(cluster, repository, blob)
    exact, bounded = Record(), Record()

    async def send(verb: Verb, server: int) -> httpx.Response:
        request = Play(cluster, repository, [image]).request(verb, image, is_head=False)
        while True:
            begun = time.monotonic()
            answer = await cluster.send(request, server)
            done = time.monotonic()
            bounded.add(Act(verb, image.digest), server, begun, done, answer)
            if answer.status_code != 503:
                act = replace(bounded.operations[-1].act)
                exact.operations.append(Operation(begun, done, act))
                return answer

    async def see_it_answered_from_memory() -> bool:
        """Whether the second server answered before its time was over."""
        exact.operations.clear()
        bounded.operations.clear()
        await send(Verb.PUSH, 0)
        await send(Verb.PULL, 1)
        await send(Verb.DELETE, 0)
        return (await send(Verb.PULL, 1)).status_code == 200

    while not await see_it_answered_from_memory():
        pass
    found = check(bounded.operations, State(), step, lambda act: act.is_read)
    assert found.is_linearizable, str(found)
    assert not check(exact.operations, State(), step, lambda act: act.is_read).is_linearizable
    # On the server that deleted it, nothing older than the deletion is answered.
    assert (await send(Verb.PULL, 0)).status_code == 404
