"""The memory of uploads: one block each, and a second for few of them at a time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from registry_core.blobs import blocks
from registry_core.blobs.blocks import Buffers, Spare
from registry_core.storage.objects import APPEND_BLOCK

TURNS = 20
"""Of the event loop, for everything that could go on to do so."""


async def body(content: bytes, piece: int = 1_000_003) -> AsyncIterator[bytes]:
    for start in range(0, len(content), piece):
        yield content[start : start + piece]


@pytest.mark.parametrize("size", [0, 1, APPEND_BLOCK, APPEND_BLOCK + 1, 3 * APPEND_BLOCK + 5])
@pytest.mark.parametrize("is_spare_left", [True, False])
async def test_blocks_are_the_body_whether_one_or_two_are_held(
    size: int, is_spare_left: bool
) -> None:
    content, spare = secrets.token_bytes(size), Spare()
    while not is_spare_left and spare.take():
        pass
    buffers, found = Buffers(spare), []
    async with aclosing(buffers.cut(body(content))) as cut:
        async for block in cut:
            found.append(bytes(block))
            buffers.give_back()
    assert b"".join(found) == content
    assert [len(each) for each in found[:-1]] == [APPEND_BLOCK] * (len(found) - 1)
    assert all(found)


@pytest.mark.rule("U8")
async def test_of_many_uploads_few_hold_a_second_block_and_it_passes_on_when_one_ends() -> None:
    spare, content = Spare(), bytes(3 * APPEND_BLOCK)
    uploads = [Buffers(spare) for _ in range(8)]
    cuts = [each.cut(body(content)) for each in uploads]
    for cut in cuts:
        assert len(await anext(cut)) == APPEND_BLOCK
    second = [asyncio.ensure_future(anext(cut)) for cut in cuts]
    for _ in range(TURNS):
        await asyncio.sleep(0)
    assert sum(each.done() for each in second) == blocks._SPARE
    # Without a second block, what storage has taken makes room for what comes.
    slow = next(number for number, each in enumerate(second) if not each.done())
    uploads[slow].give_back()
    assert len(await second[slow]) == APPEND_BLOCK
    # And a second block is free for others once its upload has ended.
    for each in second:
        each.cancel()
    await asyncio.gather(*second, return_exceptions=True)
    for cut, upload in zip(cuts, uploads, strict=True):
        await cut.aclose()
        upload.close()
    assert [spare.take() for _ in range(blocks._SPARE + 1)] == [True] * blocks._SPARE + [False]
