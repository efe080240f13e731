import asyncio

import pytest

from slipway_cli.relay.chunks import MIB, Chunk, Room


def alone() -> bool:
    return True


def second() -> bool:
    return False


def test_a_chunk_gives_back_what_it_took_from_any_position_on() -> None:
    chunk = Chunk(100, MIB)
    content = bytes(range(256)) * 2000
    assert chunk.take(memoryview(content)) == len(content)
    assert (chunk.end, chunk.is_full) == (100 + len(content), False)
    for position in (100, 101, 100 + 256 * 1024, chunk.end - 1, chunk.end):
        assert b"".join(chunk.pieces(position)) == content[position - 100 :]


def test_a_chunk_takes_no_more_than_its_room() -> None:
    chunk = Chunk(0, 10)
    assert chunk.take(memoryview(b"123456")) == 6
    assert chunk.take(memoryview(b"789abcdef")) == 4
    assert chunk.is_full
    assert b"".join(chunk.pieces(0)) == b"123456789a"


@pytest.mark.parametrize(
    ("uploads", "length"), [(1, 24), (2, 16), (4, 8), (5, 6.4), (8, 4), (100, 4)]
)
async def test_the_more_uploads_there_are_the_shorter_are_their_chunks(
    uploads: int, length: float
) -> None:
    room = Room(64 * MIB)
    for _ in range(uploads):
        room.enter()
    chunk = await room.take(0, 24 * MIB, 4 * MIB, is_first=alone)
    assert chunk.room == int(length * MIB)


async def test_a_long_chunk_is_of_whole_blocks() -> None:
    room = Room(64 * MIB)
    room.enter()
    assert (await room.take(0, 25 * MIB, 4 * MIB, is_first=alone)).room == 24 * MIB


async def test_a_second_chunk_waits_for_room_and_a_first_never_does() -> None:
    room = Room(16 * MIB)
    for _ in range(2):
        room.enter()
    held = [await room.take(0, 8 * MIB, 4 * MIB, is_first=alone) for _ in range(5)]
    assert {chunk.room for chunk in held} == {4 * MIB}
    waiting = asyncio.ensure_future(room.take(0, 4 * MIB, 4 * MIB, is_first=second))
    room.give_back(held[0])
    await asyncio.wait([waiting], timeout=0)
    assert not waiting.done()
    room.give_back(held[1])
    assert (await waiting).room == 4 * MIB


async def test_an_upload_whose_chunk_was_taken_waits_for_no_other_upload() -> None:
    room, is_first = Room(8 * MIB), False
    for _ in range(2):
        room.enter()
    await room.take(0, 4 * MIB, 4 * MIB, is_first=alone)  # Of one that stalls.
    own = await room.take(0, 4 * MIB, 4 * MIB, is_first=alone)
    waiting = asyncio.ensure_future(room.take(0, 4 * MIB, 4 * MIB, is_first=lambda: is_first))
    await asyncio.wait([waiting], timeout=0)
    assert not waiting.done()
    is_first = True
    room.give_back(own)
    assert (await waiting).room == 4 * MIB


async def test_what_a_chunk_has_no_use_for_others_can_have() -> None:
    room = Room(16 * MIB)
    room.enter()
    chunk = await room.take(0, 8 * MIB, 4 * MIB, is_first=alone)
    chunk.take(memoryview(b"small"))
    room.shrink(chunk, 4 * MIB)
    assert chunk.room == 4 * MIB
    room.give_back(chunk)
    assert (await room.take(0, 8 * MIB, 4 * MIB, is_first=alone)).room == 8 * MIB
    assert (await room.take(8 * MIB, 8 * MIB, 4 * MIB, is_first=second)).room == 8 * MIB
