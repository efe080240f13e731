"""Many cheap requests to an engine, over connections that are kept.

They go past the front, which would take more of the processor than the engine does: what the host
sends for one request, the request itself and its invocation, is made here in bulk.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

from tests.engine.process import EngineProcess

CONNECTIONS = 8
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")


async def send_requests(
    engine: EngineProcess, path: str, authorization: str, number: int
) -> dict[bytes, int]:
    """Sends `number` times `GET /v2/` plus `path`; gives how often each status was the answer."""
    head = f"GET /v2/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n"
    statuses: dict[bytes, int] = {}
    turns = iter(range(number))
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(_connection(engine, path, head, turns, statuses))
    return statuses


async def _connection(
    engine: EngineProcess, path: str, head: str, turns: Iterator[int], statuses: dict[bytes, int]
) -> None:
    """Sends one request after another for as long as there are turns."""
    function = engine.functions["registry_v2"]
    argument = {"http": {"params": {"path": path} if path else {}}}
    address = urlsplit(engine.http_uri)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    for _ in turns:
        invocation_id = str(uuid.uuid4())
        writer.write(f"{head}x-ms-invocation-id: {invocation_id}\r\n\r\n".encode())
        await engine.invoke(function, argument, invocation_id=invocation_id)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answer)
        assert length, answer
        await reader.readexactly(int(length[1]))
        status = answer[9:12]
        statuses[status] = statuses.get(status, 0) + 1
    writer.close()
    await writer.wait_closed()
