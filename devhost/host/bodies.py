"""What the Functions host does with request bodies before the function sees them.

A body with `Content-Length` is read to its end first, into memory while it is small and else into a
file, and then replayed. A chunked body is passed on as it arrives. Both are bounded by
`FUNCTIONS_REQUEST_BODY_SIZE_LIMIT`.
"""

import asyncio
import tempfile
from types import TracebackType
from typing import IO, Self

from starlette.types import Message, Receive

# The host's own threshold for keeping a body in memory.
MEMORY_LIMIT = 30 * 1024
_WRITE_SIZE = 1024 * 1024
_READ_SIZE = 1024 * 1024


class ClientGoneError(Exception):
    """The client hung up before it had sent the whole body."""


class SpooledBody:
    """A body that was read completely, to be replayed once.

    Its file has no name, so that nothing can leave it behind.
    """

    def __init__(self) -> None:
        self._memory = bytearray()
        self._file: IO[bytes] | None = None

    async def fill(self, receive: Receive) -> None:
        """Read the body to its end. No more is taken from the client than has been written.

        Raises:
            ClientGoneError: the body did not end.
        """
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientGoneError
            self._memory += message.get("body", b"")
            more = message.get("more_body", False)
            if len(self._memory) >= _WRITE_SIZE:
                await asyncio.to_thread(self._write)
        if self._file is not None or len(self._memory) > MEMORY_LIMIT:
            await asyncio.to_thread(self._write)
        if self._file is not None:
            self._file.seek(0)

    async def read(self) -> Message:
        """Return the next part of the body as an ASGI message."""
        if self._file is None:
            part, self._memory = bytes(self._memory), bytearray()
            return {"type": "http.request", "body": part, "more_body": False}
        part = await asyncio.to_thread(self._file.read, _READ_SIZE)
        return {"type": "http.request", "body": part, "more_body": bool(part)}

    def _write(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="devhost-body-")  # noqa: SIM115 - closed by __exit__
        self._file.write(self._memory)
        self._memory.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
