"""The body of a response, put together from what the connection brings (RFC 9112, 6 and 7)."""

from __future__ import annotations

from registry_core.storage.client.heads import Head, ProtocolError

_LONGEST_LINE = 1024
"""Of a chunk's size with its extensions, or of a trailer; in bytes."""
_SIZE_DIGITS = frozenset(b"0123456789abcdefABCDEF")


class TooLarge(ProtocolError):
    """A body of more bytes than the caller takes."""


class Body:
    """A body of known size, or one that ends with its connection; of at most so many bytes."""

    def __init__(self, size: int | None, most: int | None = None) -> None:
        self._left = size
        self._room = most
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> bool:
        """Takes in what came next; answers whether that was the end.

        Raises `ProtocolError` for what goes on after its end.
        """
        if data:
            self._add(data)
        if self._left is None:
            return False
        self._left -= len(data)
        if self._left < 0:
            raise ProtocolError("more came than was announced")
        return not self._left

    def _add(self, data: bytes) -> None:
        if self._room is not None:
            self._room -= len(data)
            if self._room < 0:
                raise TooLarge("the answer is too large")
        self._pieces.append(data)

    def end(self) -> bool:
        """Says that nothing more comes; answers whether this may be the end of it."""
        return self._left is None

    @property
    def content(self) -> bytes:
        """What it holds."""
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


class ChunkedBody(Body):
    """A body in chunks, each after its size (RFC 9112, 7.1)."""

    def __init__(self, most: int | None = None) -> None:
        super().__init__(0, most)
        self._rest = bytearray()
        self._chunk = 0
        """How many bytes of the chunk are still to come, with the end of its last line."""
        self._is_trailer = False

    def feed(self, data: bytes) -> bool:
        """Takes in what came next; answers whether that was the end. Raises `ProtocolError`."""
        self._rest += data
        while self._rest:
            if self._chunk:
                if not self._take():
                    return False
                continue
            end = self._rest.find(b"\r\n")
            if end < 0:
                if len(self._rest) > _LONGEST_LINE:
                    raise ProtocolError("a line without an end")
                return False
            line = bytes(self._rest[:end])
            del self._rest[: end + 2]
            if self._is_trailer:
                if not line:
                    return self._finish()
            else:
                self._begin(line)
        return False

    def _begin(self, line: bytes) -> None:
        digits = line.partition(b";")[0].strip()
        if not digits or not _SIZE_DIGITS.issuperset(digits):
            raise ProtocolError("a chunk without a size")
        size = int(digits, 16)
        self._is_trailer = not size
        self._chunk = size + 2 if size else 0

    def _take(self) -> bool:
        """Takes in the rest of a chunk, with the end of its line, or what is there of it."""
        content = min(self._chunk - 2, len(self._rest))
        if content > 0:
            self._add(bytes(self._rest[:content]))
            del self._rest[:content]
            self._chunk -= content
        if self._chunk > 2 or len(self._rest) < 2:
            return False
        if self._rest[:2] != b"\r\n":
            raise ProtocolError("a chunk that is longer than its size")
        del self._rest[:2]
        self._chunk = 0
        return True

    def _finish(self) -> bool:
        if self._rest:
            raise ProtocolError("more came than was announced")
        return True


def body_of(head: Head, most: int | None) -> Body:
    """A body as the head announces it, of which nothing has come yet."""
    return ChunkedBody(most) if head.is_chunked else Body(head.size, most)
