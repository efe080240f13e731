"""Two processes behind one address: the requests of a session hop between them.

Rule U1 of `docs/uploads.md`: a session's state travels with the client, so that any instance
can take its next request.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import Client, Crane, Docker, Skopeo
from tests.e2e.engine import Engine
from tests.e2e.images import Image, Layer, incompressible, tar
from tests.e2e.pair import Pair

MIB = 1024 * 1024

pytestmark = pytest.mark.rule("U1")


@pytest.fixture(scope="module")
def pair(workspace: Path) -> Iterator[Pair]:
    folder = workspace / "pair"
    folder.mkdir()
    started = Pair(folder)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(params=["docker", "crane", "skopeo"])
def client(
    request: pytest.FixtureRequest, pair: Pair, workspace: Path, environment: dict[str, str]
) -> Client:
    folder = workspace / f"pair-{request.param}"
    folder.mkdir()
    made: Client
    if request.param == "docker":
        engine: Engine = request.getfixturevalue("engine")
        made = Docker(pair, folder, environment, engine)
    else:
        made = {"crane": Crane, "skopeo": Skopeo}[request.param](pair, folder, environment)
    made.sign_in(pair.password)
    return made


def test_a_push_and_a_pull_whose_every_request_goes_to_the_other_server(
    client: Client, pair: Pair, program: bytes, repository: str
) -> None:
    data = tar({"data": incompressible(20 * MIB, repository)})
    image = Image([Layer(tar({"bin/cat": program})), Layer(data)])
    reference = f"{pair.address}/{repository}:1"
    before = len(pair.sessions())

    client.load(image, reference)
    client.push(reference)
    client.remove(reference)
    client.pull(reference)

    assert client.config_digest(reference) == image.config_digest
    visits = list(pair.sessions().values())[before:]
    assert any({server for server, _ in visited} == {0, 1} for visited in visits), visits


def test_a_session_that_hops_at_every_chunk_reads_nothing_back(pair: Pair, repository: str) -> None:
    chunks = [incompressible(300_000, f"{repository}{number}") for number in range(8)]
    location = pair.request("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]
    session = location.partition("?")[0]
    for chunk in chunks:
        answer = pair.request("PATCH", location, chunk)
        assert answer.status == 202
        location = answer.headers["location"]
    pair.commit(location, b"".join(chunks))
    servers = [server for server, _ in pair.sessions()[session]]
    assert len(servers) == 9
    assert all(one != two for one, two in itertools.pairwise(servers)), servers
