"""How the blocks of one upload flow: which is received, hashed and appended while."""

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator

import pytest

from registry_core.blobs import hashing
from registry_core.storage.objects import APPEND_BLOCK
from tests.integration.core.support import Client, digest_of
from tests.interference.kinds import Interference, SeenCall
from tests.patience import PATIENCE

PIECE = 65_536
BLOCKS = 4
TURNS = 1000
"""Of the event loop, for everything that could go on to do so."""


class Flow(Interference):
    """An upload whose appends are held until a block more is received, and the reverse.

    The client keeps the last piece of block n+1 back until append n has begun; append n does not
    end until the client was asked for that piece. Whoever does one after the other gets stuck.
    """

    def __init__(self, *, answered: bool) -> None:
        self.content = secrets.token_bytes((BLOCKS - 1) * APPEND_BLOCK + PIECE // 2)
        self.trace: list[str] = []
        self.most_held = 0
        """The most bytes that were asked for while their append, or one before it, had to end."""
        self._answered = answered
        """Whether an append is held when storage has answered it, or before it is sent."""
        self._received = [asyncio.Event() for _ in range(BLOCKS + 1)]
        self._begun = [asyncio.Event() for _ in range(BLOCKS + 1)]
        self._begun[0].set()
        self._appending = self._appended = 0

    def plan(self, call: SeenCall) -> Interference | None:
        return self if "comp=appendblock" in call.query else None

    async def body(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.content), PIECE):
            piece = self.content[start : start + PIECE]
            end = start + len(piece)
            self.most_held = max(self.most_held, end - self._appended * APPEND_BLOCK)
            if end % APPEND_BLOCK == 0 or end == len(self.content):
                block = -(-end // APPEND_BLOCK)
                await self._begun[block - 1].wait()
                self.trace.append(f"received {block}")
                self._received[block].set()
            yield piece

    async def before(self, _: SeenCall) -> None:
        self._appending += 1
        self.trace.append(f"append {self._appending} begins")
        self._begun[self._appending].set()
        if not self._answered:
            await self._hold()

    async def after(self, _: SeenCall) -> None:
        if self._answered:
            await self._hold()
        self.trace.append(f"append {self._appending} ends")
        self._appended += 1

    async def _hold(self) -> None:
        await self._received[min(self._appending + 1, BLOCKS)].wait()
        for _ in range(TURNS):
            await asyncio.sleep(0)


@pytest.mark.parametrize("answered", [False, True], ids=["held-before-sent", "held-after-answer"])
@pytest.mark.rule("U8")
async def test_block_n_plus_1_is_received_while_block_n_is_appended_and_no_more(
    client: Client, repository: str, answered: bool
) -> None:
    flow = Flow(answered=answered)
    location = await client.begin(repository)
    client.hook.plan = flow.plan
    async with asyncio.timeout(PATIENCE):
        uploaded = await client.patch(location, flow.body())
    assert flow.trace == [
        "received 1",
        *(
            step
            for n in range(1, BLOCKS)
            for step in (f"append {n} begins", f"received {n + 1}", f"append {n} ends")
        ),
        f"append {BLOCKS} begins",
        f"append {BLOCKS} ends",
    ]
    assert flow.most_held == 2 * APPEND_BLOCK
    committed = await client.commit(uploaded.headers["location"], digest_of(flow.content))
    assert committed.status_code == 201


@pytest.mark.rule("U8")
async def test_a_second_block_is_another_uploads_only_when_this_one_holds_none_any_more(
    client: Client, repository: str
) -> None:
    """Not when the body has ended: the last block is on its way, and the other still in memory."""
    location, spare = await client.begin(repository), client.services.uploads._spare
    left, held = spare._left, list[int]()

    class Slow(Interference):
        async def before(self, call: SeenCall) -> None:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            held.append(left - spare._left)

    async def body() -> AsyncIterator[bytes]:
        yield secrets.token_bytes(2 * APPEND_BLOCK)

    client.hook.plan = lambda call: Slow() if "comp=appendblock" in call.query else None
    assert (await client.patch(location, body())).is_success
    assert held == [1, 1]
    assert spare._left == left


@pytest.mark.rule("U8")
async def test_an_upload_that_breaks_off_leaves_its_second_block_to_others(client: Client) -> None:
    uploads = client.services.uploads
    left = uploads._spare._left
    taken: list[int] = []

    async def broken() -> AsyncIterator[bytes]:
        yield bytes(APPEND_BLOCK + 1)
        taken.append(left - uploads._spare._left)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await uploads.append(uploads.begin(), broken())
    assert taken == [1]
    assert uploads._spare._left == left


@pytest.mark.rule("U8")
async def test_blocks_are_hashed_in_order_off_the_event_loop_however_fast_they_come(
    client: Client, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = secrets.token_bytes(APPEND_BLOCK + 1)
    all_sent = threading.Event()
    one_at_a_time = threading.Lock()
    hashed_in: list[int] = []
    update = hashing._LibcryptoHash.update

    def held(self: hashing._LibcryptoHash, data: hashing.Buffer) -> None:
        assert one_at_a_time.acquire(blocking=False)
        hashed_in.append(threading.get_ident())
        assert all_sent.wait(PATIENCE)
        update(self, data)
        one_at_a_time.release()

    async def body() -> AsyncIterator[bytes]:
        yield content
        all_sent.set()

    location = await client.begin(repository, **{"digest-algorithm": "sha512"})
    monkeypatch.setattr(hashing._LibcryptoHash, "update", held)
    uploaded = await client.patch(location, body())
    assert len(hashed_in) == 4  # Two blocks, SHA-256 and SHA-512.
    assert threading.get_ident() not in hashed_in
    digest = digest_of(content, "sha512")
    assert (await client.commit(uploaded.headers["location"], digest)).status_code == 201
