"""A connection that breaks once storage applied a write: nobody but the protocol sends it again."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from devhost.processes.azurite import Azurite
from registry_core.settings import Settings, StorageSettings
from tests.integration.core.support import connect, digest_of, pieces


class Proxy:
    """Passes connections on to Azurite; breaks one off once it has answered a matching request."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.cut = b""
        self.cuts = 0
        self.seen: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target)
        cut = False

        async def up() -> None:
            nonlocal cut
            while data := await reader.read(65536):
                line = data.split(b"\r\n", 1)[0]
                if line.endswith(b"HTTP/1.1"):
                    self.seen.append(line)
                    if self.cut and self.cut in data.split(b"\r\n\r\n", 1)[0] and not self.cuts:
                        cut, self.cuts = True, 1
                up_writer.write(data)
                await up_writer.drain()
            up_writer.close()

        task = asyncio.create_task(up())
        try:
            while data := await up_reader.read(65536):
                if cut:
                    break
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()
            up_writer.close()
            task.cancel()


@pytest.fixture
async def proxy(azurite: Azurite) -> AsyncIterator[tuple[Proxy, str]]:
    endpoint = next(
        part.split("=", 1)[1]
        for part in azurite.connection_string.split(";")
        if part.startswith("BlobEndpoint=")
    )
    port = int(endpoint.split(":")[2].split("/")[0])
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    own = server.sockets[0].getsockname()[1]
    yield proxy, azurite.connection_string.replace(endpoint, endpoint.replace(str(port), str(own)))
    server.close()


@pytest.mark.rule("U4")
@pytest.mark.parametrize(
    "what",
    [
        b"comp=appendblock",
        b"x-ms-blob-type: AppendBlob",
        b"comp=metadata",
        b"x-ms-blob-type: BlockBlob",
    ],
    ids=["append", "create", "set-metadata", "put-blob"],
)
async def test_a_write_whose_connection_broke_after_it_was_applied(
    settings: Settings, repository: str, proxy: tuple[Proxy, str], what: bytes
) -> None:
    middle, connection_string = proxy
    storage = StorageSettings(connection_string)
    async with connect(replace(settings, storage=storage)) as client:
        client.may_read_back = True
        await client.push_blob(repository, b"warm" + secrets.token_bytes(5))  # a kept connection
        content = secrets.token_bytes(100)
        middle.cut = what
        middle.seen.clear()
        if b"Block" in what:
            begun = await client.begin(repository)
            codes = [(await client.commit(begun, digest_of(content), content)).status_code]
        else:
            patched = await client.patch(await client.begin(repository), pieces(content))
            codes = [patched.status_code]
            if codes == [202]:
                done = await client.commit(patched.headers["location"], digest_of(content))
                codes.append(done.status_code)
        assert middle.cuts == 1
        writes = [line for line in middle.seen if line.startswith(b"PUT")]
        calls = sum(
            1
            for t in client.traces[-2:]
            for c in t.calls
            if c.method == "PUT" and c.service == "blob"
        )
        assert codes[-1] == 201, (codes, writes)
        assert len(writes) == calls, (len(writes), calls, writes)


@pytest.mark.rule("U4")
async def test_a_cancellation_whose_connection_broke_after_it_was_applied(
    settings: Settings, repository: str, proxy: tuple[Proxy, str]
) -> None:
    middle, connection_string = proxy
    storage = StorageSettings(connection_string)
    async with connect(replace(settings, storage=storage)) as client:
        patched = await client.patch(await client.begin(repository), pieces(b"abc"))
        middle.cut = b"x-ms-blob-type: AppendBlob"
        answer = await client.send("DELETE", patched.headers["location"])
        assert middle.cuts == 1
        assert answer.status_code == 204
