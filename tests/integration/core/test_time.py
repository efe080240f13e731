"""Storage that accepts connections and never answers: rules T1 to T5 of `docs/time.md`.

Each service is stopped by a proxy in front of it. The limits are a tenth of those in production,
and so is what the SDKs wait; the answers have to come within the same multiple of them.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from azure.core.credentials import AccessToken

from devhost.processes.azurite import Azurite
from registry_core.errors import Unavailable
from registry_core.http import health
from registry_core.settings import Settings, StorageSettings, TimeLimits
from registry_core.storage import budget, connection, wire
from registry_core.storage.calls import Answer, Request, Send
from registry_core.storage.objects import APPEND_BLOCK, READ_BLOCK
from tests.integration.core.support import OCI_MANIFEST, Client, Image, connect, digest_of, pieces
from tests.interference.kinds import Interference, SeenCall
from tests.interference.proxy import FreezableProxy, freezable

SCALE = 1 / 10
LIMITS = TimeLimits(*(SCALE * limit for limit in (25, 10, 4)))
REQUEST_SECONDS = 60 * SCALE
"""In production: what a client waits for at most, of the 230 s that the front end has."""
HEALTH_SECONDS = LIMITS.request
"""Sooner than a request gives up; that it is soon enough is a matter of the limit alone."""
NEEDED = ["blobs", "tables", "all"]
"""Nothing works where these are stopped; without the queue, only deletions do not."""
STOPPED = [*NEEDED, "queues"]


@pytest.fixture(autouse=True)
def _back_off_to_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "READ_BACK_OFF_SECONDS", SCALE)


@dataclass
class Stoppable:
    """Storage whose services can be stopped, and the settings of an instance that uses it."""

    settings: Settings
    proxies: dict[str, FreezableProxy]

    @contextmanager
    def stopped(self, which: str) -> Iterator[None]:
        chosen = [p for name, p in self.proxies.items() if which in (name, "all")]
        for proxy in chosen:
            proxy.freeze()
        try:
            yield
        finally:
            for proxy in chosen:
                proxy.thaw()


@pytest.fixture
async def stoppable(azurite: Azurite, settings: Settings) -> AsyncIterator[Stoppable]:
    async with AsyncExitStack() as stack:
        ports = {
            "blobs": azurite.blob_port,
            "tables": azurite.table_port,
            "queues": azurite.queue_port,
        }
        text, proxies = azurite.connection_string, {}
        for name, port in ports.items():
            proxies[name] = await stack.enter_async_context(freezable(port))
            text = text.replace(f":{port}/", f":{proxies[name].port}/")
        own = replace(settings, storage=StorageSettings(text), limits=LIMITS, blob_redirect=False)
        yield Stoppable(own, proxies)


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Fails if what is done inside takes longer, as a client would that waits no longer."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@dataclass
class Stage:
    """What the requests of the table are about, in a repository of their own."""

    client: Client
    repository: str
    image: Image
    loose: str
    """A blob that no manifest needs."""
    upload: str
    """An upload with three bytes, by its location."""

    @classmethod
    async def set(cls, other: Client, client: Client, repository: str) -> Stage:
        image = await other.push_image(repository, "v1")
        large = image.with_manifest(annotations={"fill": "x" * 600_000})
        assert (await other.put_manifest(repository, "large", large.manifest)).status_code == 201
        loose = await other.push_blob(repository, secrets.token_bytes(100))
        upload = (await other.patch(await other.begin(repository), b"abc")).headers["location"]
        return cls(client, repository, image, loose, upload)

    async def send(self, method: str, rest: str, **options: object) -> httpx.Response:
        return await self.client.send(method, f"/v2/{self.repository}/{rest}", **options)

    async def push(self, content: bytes) -> httpx.Response:
        url = f"blobs/uploads/?digest={digest_of(content)}"
        return await self.send("POST", url, content=content)

    async def put(self) -> httpx.Response:
        """A manifest that is new: its platform is read from its config."""
        manifest = self.image.with_manifest(annotations={"new": secrets.token_hex(8)}).manifest
        return await self.send(
            "PUT", "manifests/v2", content=manifest, headers={"Content-Type": OCI_MANIFEST}
        )

    async def token(self) -> httpx.Response:
        scope = f"repository:{self.repository}:pull"
        return await self.client.send("GET", f"/oauth2/token?service=localhost:7071&scope={scope}")


@dataclass(frozen=True)
class Kind:
    """A kind of request, and which services it cannot do without."""

    name: str
    send: Callable[[Stage], Awaitable[httpx.Response]]
    needs: frozenset[str]
    repeated: tuple[int, ...] = ()
    """What may be answered when it is repeated, besides success: it was applied late."""

    def is_hit(self, stopped: str) -> bool:
        return bool(self.needs) if stopped == "all" else stopped in self.needs


NONE, BLOBS, TABLES = frozenset[str](), frozenset({"blobs"}), frozenset({"tables"})
BOTH = BLOBS | TABLES
ANNOUNCED = TABLES | {"queues"}
KEPT = ANNOUNCED | BLOBS
"""The policy that says whether what goes is kept lies among the blobs."""
CONTENT = secrets.token_bytes(1000)
LARGE = secrets.token_bytes(APPEND_BLOCK + 1000)

KINDS = [
    Kind("base", lambda s: s.client.send("GET", "/v2/"), NONE),
    Kind("catalog", lambda s: s.client.send("GET", "/v2/_catalog"), TABLES),
    Kind("tags", lambda s: s.send("GET", "tags/list"), TABLES),
    Kind("referrers", lambda s: s.send("GET", f"referrers/{s.image.digest}"), TABLES),
    Kind("manifest-head-by-tag", lambda s: s.send("HEAD", "manifests/v1"), TABLES),
    Kind("manifest-head", lambda s: s.send("HEAD", f"manifests/{s.image.digest}"), TABLES),
    Kind("manifest-by-tag", lambda s: s.send("GET", "manifests/v1"), TABLES),
    Kind("manifest", lambda s: s.send("GET", f"manifests/{s.image.digest}"), TABLES),
    Kind("large-manifest", lambda s: s.send("GET", "manifests/large"), BOTH),
    Kind("put-manifest", lambda s: s.put(), BOTH),
    Kind("untag", lambda s: s.send("DELETE", "manifests/v1"), BOTH, (404,)),
    Kind("delete", lambda s: s.send("DELETE", f"manifests/{s.image.digest}"), KEPT, (404,)),
    Kind("blob-head", lambda s: s.send("HEAD", f"blobs/{s.loose}"), TABLES),
    Kind("blob", lambda s: s.send("GET", f"blobs/{s.loose}"), BOTH),
    Kind("blob-delete", lambda s: s.send("DELETE", f"blobs/{s.loose}"), ANNOUNCED, (404,)),
    Kind("upload-begin", lambda s: s.send("POST", "blobs/uploads/"), NONE),
    Kind("mount", lambda s: s.send("POST", f"blobs/uploads/?mount={s.loose}"), TABLES),
    Kind("upload-at-once", lambda s: s.push(CONTENT), BOTH),
    Kind("upload-large", lambda s: s.push(LARGE), BOTH),
    Kind("patch", lambda s: s.client.patch(s.upload, b"def"), BLOBS, (416,)),
    Kind("patch-large", lambda s: s.client.patch(s.upload, pieces(LARGE)), BLOBS, (416,)),
    Kind("upload-status", lambda s: s.client.send("GET", s.upload), BLOBS),
    Kind("commit", lambda s: s.client.commit(s.upload, digest_of(b"abc")), BOTH),
    Kind(
        "commit-with-bytes",
        lambda s: s.client.commit(s.upload, digest_of(b"abcdef"), b"def"),
        BOTH,
        (416,),
    ),
    Kind("upload-cancel", lambda s: s.client.send("DELETE", s.upload), BLOBS, (404,)),
    Kind("token", lambda s: s.token(), BLOBS),
    Kind("keys", lambda s: s.client.send("GET", "/oauth2/keys"), BLOBS),
    Kind(
        "sign-in",
        lambda s: s.client.send("GET", "/v2/", auth=("somebody", "x" * 43)),
        TABLES,
        (401,),
    ),
]


async def sent(kind: Kind, stage: Stage) -> httpx.Response:
    async with within(REQUEST_SECONDS):
        return await kind.send(stage)


@pytest.mark.rule("T1", "T5")
@pytest.mark.parametrize("stopped", STOPPED)
async def test_storage_that_never_answers_is_503_in_time_and_the_next_request_after_it_works(
    client: Client, stoppable: Stoppable, repository: str, stopped: str
) -> None:
    hit = [kind for kind in KINDS if kind.is_hit(stopped)]
    async with connect(stoppable.settings) as stalled:
        stalled.may_read_back = True
        setting = (Stage.set(client, stalled, f"{repository}/{kind.name}") for kind in KINDS)
        stages = dict(zip(KINDS, await asyncio.gather(*setting), strict=True))
        with stoppable.stopped(stopped):
            first = await asyncio.gather(*(sent(kind, stages[kind]) for kind in KINDS))
        for kind, answer in zip(KINDS, first, strict=True):
            if kind in hit:
                assert answer.status_code == 503, kind.name
                assert int(answer.headers["retry-after"]) > 0, kind.name
            else:
                assert answer.status_code in {*range(200, 308), *kind.repeated}, kind.name
        # What works is given the time that it has in production, on the busiest of machines.
        stalled.registry.settings = replace(stoppable.settings, limits=TimeLimits())
        # Keys that could not be read are left alone for a moment, which has passed.
        keys = stalled.services.signing_keys
        keys._failed = keys._read
        for kind in hit:
            answer = await kind.send(stages[kind])
            assert answer.status_code in {*range(200, 308), *kind.repeated}, (kind.name, answer)


@pytest.mark.rule("T1", "T4")
@pytest.mark.parametrize("stopped", NEEDED)
async def test_a_cold_instance_answers_in_time_and_opens_its_storage_later(
    stoppable: Stoppable, stopped: str
) -> None:
    async with connect(stoppable.settings, is_cold=True) as cold:
        ours = health.Health()
        with stoppable.stopped(stopped):
            async with within(HEALTH_SECONDS):
                assert (await ours.get(cold.registry)).status_code == 503
            async with within(REQUEST_SECONDS):
                answers = await asyncio.gather(*(cold.send("GET", "/v2/") for _ in range(8)))
        assert {answer.status_code for answer in answers} == {503}
        assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
        assert (await cold.send("GET", "/v2/")).status_code == 200


class SilentCredential:
    """An endpoint of a managed identity that accepts connections and never answers."""

    async def get_token(self, *_: str, **_options: object) -> AccessToken:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def close(self) -> None:
        pass


@pytest.mark.rule("T1")
async def test_an_identity_whose_tokens_never_come_is_503_in_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_identity", lambda _: SilentCredential())
    nowhere = "https://127.0.0.1:1/a"
    storage = StorageSettings(blob_uri=nowhere, table_uri=nowhere, queue_uri=nowhere)
    own = replace(settings, storage=storage, limits=LIMITS)
    async with connect(own, is_cold=True) as cold, within(REQUEST_SECONDS):
        answer = await cold.send("GET", "/v2/")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


@pytest.mark.rule("T4")
@pytest.mark.parametrize("stopped", NEEDED)
async def test_a_warm_instance_whose_storage_stops_tells_so_in_time(
    stoppable: Stoppable, stopped: str
) -> None:
    async with connect(stoppable.settings) as warm:
        with stoppable.stopped(stopped):
            async with within(HEALTH_SECONDS):
                assert (await health.Health().get(warm.registry)).status_code == 503
        assert (await health.Health().get(warm.registry)).status_code == 200


@pytest.mark.rule("T4")
async def test_a_cold_instance_that_waits_for_its_storage_tells_so_in_time(
    stoppable: Stoppable,
) -> None:
    """The request that opens storage holds nobody up."""
    async with connect(stoppable.settings, is_cold=True) as cold:
        with stoppable.stopped("all"):
            asked = asyncio.Event()
            cold.hook.plan = lambda _: asked.set()
            request = asyncio.create_task(cold.send("GET", "/v2/"))
            await asked.wait()
            async with within(HEALTH_SECONDS):
                assert (await health.Health().get(cold.registry)).status_code == 503
            assert (await request).status_code == 503


@pytest.mark.rule("T2")
async def test_an_upload_takes_as_long_as_its_client_while_storage_takes_its_blocks(
    client: Client, repository: str
) -> None:
    """The client alone spends the budget many times, between blocks and within one."""
    content = secrets.token_bytes(2 * APPEND_BLOCK + 1000)

    async def slowly() -> AsyncIterator[bytes]:
        async for piece in pieces(content):
            spend(0.6)
            yield piece

    uploaded = await client.patch(await client.begin(repository), slowly())
    assert uploaded.status_code == 202, uploaded.text
    digest = digest_of(content)
    assert (await client.commit(uploaded.headers["location"], digest)).status_code == 201


@pytest.mark.rule("T2")
@pytest.mark.parametrize("kind", ["blob", "manifest"])
async def test_a_small_body_takes_as_long_as_its_client(
    client: Client, repository: str, kind: str
) -> None:
    """It comes whole before storage is asked for anything."""
    image = await client.push_image(repository, "v1")

    async def slowly(content: bytes) -> AsyncIterator[bytes]:
        async for piece in pieces(content, 100):
            spend(0.6)
            yield piece

    if kind == "blob":
        url = f"/v2/{repository}/blobs/uploads/?digest={digest_of(CONTENT)}"
        answer = await client.send("POST", url, content=slowly(CONTENT))
    else:
        url, headers = f"/v2/{repository}/manifests/v2", {"Content-Type": OCI_MANIFEST}
        answer = await client.send("PUT", url, content=slowly(image.manifest), headers=headers)
    assert answer.status_code == 201, answer.text


@pytest.mark.rule("T2")
async def test_a_client_that_sends_slowly_is_told_at_once_that_storage_takes_nothing(
    stoppable: Stoppable, repository: str
) -> None:
    """Its next block never comes to an end; and its bytes do not keep the hung append alive."""
    has_ended = False

    async def forever() -> AsyncIterator[bytes]:
        yield bytes(APPEND_BLOCK)
        stoppable.proxies["blobs"].freeze()
        while not has_ended:
            await asyncio.sleep(0)
            yield b"x"

    async with connect(stoppable.settings) as slow:
        location = await slow.begin(repository)
        async with within(REQUEST_SECONDS):
            answer = await slow.patch(location, forever())
        has_ended = True
        stoppable.proxies["blobs"].thaw()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    # Each but the last has taken all of its time, of which the budget has two and a half.
    assert slow.trace.count <= 3


def spend(part: float) -> None:
    """Has so much of the request's time gone by."""
    budget.current()._begun -= part * budget.current().seconds


class Slow(Interference):
    """Storage answers late, but for each call within its time."""

    async def after(self, _: SeenCall) -> None:
        spend(0.6)


@pytest.mark.rule("T2")
async def test_a_blob_is_streamed_for_as_long_as_its_chunks_come(
    client: Client, settings: Settings, repository: str
) -> None:
    """Four chunks, of which each takes more than half of the budget."""
    content = secrets.token_bytes(3 * READ_BLOCK + 1000)
    digest = await client.push_blob(repository, content)
    async with connect(replace(settings, blob_redirect=False)) as slow:
        slow.hook.plan = lambda call: Slow() if call.service == "blob" else None
        answer = await slow.send("GET", f"/v2/{repository}/blobs/{digest}")
        assert answer.content == content
        assert slow.trace.count == 2 + 4


@pytest.mark.rule("T2")
@pytest.mark.parametrize("after", [None, READ_BLOCK // 2], ids=["at-a-call", "amid"])
async def test_a_blob_whose_bytes_come_no_more_breaks_off_in_time(
    client: Client, stoppable: Stoppable, repository: str, after: int | None
) -> None:
    """Its status is sent by then: the client sees fewer bytes than were announced."""
    digest = await client.push_blob(repository, secrets.token_bytes(3 * READ_BLOCK))
    async with connect(stoppable.settings) as stalled:
        chunks = 0

        def plan(call: SeenCall) -> Interference | None:
            nonlocal chunks
            chunks += call.service == "blob"
            if chunks == 2:
                stoppable.proxies["blobs"].freeze(after=after)
            return None

        stalled.hook.plan = plan
        async with within(REQUEST_SECONDS):
            with pytest.raises(Unavailable):
                await stalled.send("GET", f"/v2/{repository}/blobs/{digest}")
        stoppable.proxies["blobs"].thaw()


@dataclass
class Hang(Interference):
    """The call goes to a connection that gives no answer."""

    url: str

    async def forward(self, request: Request, send: Send) -> Answer:
        return await send(replace(request, url=self.url))


@pytest.mark.rule("T3")
async def test_a_call_that_hangs_leaves_its_request_time_to_try_again(
    client: Client, stoppable: Stoppable, repository: str
) -> None:
    """One connection hangs, the next one works: reads, and writes as the protocol has it."""
    image = await client.push_image(repository, "v1")
    silent = stoppable.proxies["tables"]
    patient = replace(stoppable.settings, storage=client.registry.settings.storage)
    silent.freeze()
    async with connect(patient) as unlucky:
        for method, url, content in [
            ("GET", f"/v2/{repository}/manifests/v1", b""),
            ("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(CONTENT)}", CONTENT),
            ("DELETE", f"/v2/{repository}/manifests/{image.digest}", b""),
        ]:
            unlucky.hook.plan_nth(1, Hang(f"http://127.0.0.1:{silent.port}/"))
            answer = await unlucky.send(method, url, content=content)
            assert answer.status_code < 300, (method, answer.text)
            assert unlucky.trace.calls[0].status is None


@pytest.mark.rule("T1")
async def test_an_emulator_that_was_stopped_is_503_in_time_and_works_when_it_goes_on(
    settings: Settings, tmp_path: Path, repository: str
) -> None:
    """The real thing: one process serves blobs and tables."""
    with Azurite(tmp_path) as azurite:
        storage = StorageSettings(azurite.connection_string)
        async with connect(replace(settings, storage=storage, limits=LIMITS)) as client:
            image = await client.push_image(repository, "v1")
            os.kill(azurite.pid, signal.SIGSTOP)
            try:
                async with within(REQUEST_SECONDS):
                    answers = await asyncio.gather(
                        client.put_manifest(repository, "v2", image.manifest),
                        client.patch(await client.begin(repository), pieces(LARGE)),
                        client.send("GET", f"/v2/{repository}/manifests/v1"),
                    )
                async with within(HEALTH_SECONDS):
                    assert (await health.Health().get(client.registry)).status_code == 503
            finally:
                os.kill(azurite.pid, signal.SIGCONT)
            assert {answer.status_code for answer in answers} == {503}
            assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
            client.registry.settings = settings
            answer = await client.put_manifest(repository, "v2", image.manifest)
            assert answer.status_code == 201
