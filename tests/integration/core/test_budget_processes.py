"""The budgets of `docs/architecture.md` over HTTP, by the request logs of two fresh processes.

One pushes, the other has seen nothing of it: what it answers first is cold, and then warm.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from tests.integration.core.support import Image, digest_of, index_of, pieces_of
from tests.integration.request_log import CORRELATION_ID, RequestLog

ROOT = Path(__file__).resolve().parents[3]

Cost = tuple[int, int]


class Process:
    """A registry of its own process, whose answers come with what they cost."""

    def __init__(self, host: HostProcess, password: str) -> None:
        self._log = RequestLog(host)
        self.http = httpx.Client(base_url=host.base_url, auth=("admin", password), timeout=60)

    def send(self, method: str, url: str, **options: object) -> tuple[httpx.Response, Cost]:
        """The answer, and the storage calls and sequential rounds that it took."""
        correlation_id = secrets.token_hex(16)
        headers = {CORRELATION_ID: correlation_id, **options.pop("headers", {})}  # type: ignore[dict-item]
        answer = self.http.request(method, url, headers=headers, **options)  # type: ignore[arg-type]
        assert answer.status_code < 400, answer.text
        cost = self._log.cost(correlation_id)
        return answer, (cost.calls, cost.rounds)

    def cost_of_opening(self) -> Cost:
        cost = self._log.cost_of_opening()
        return cost.calls, cost.rounds

    def push_blob(self, repository: str, content: bytes) -> Cost:
        answer, begun = self.send("POST", f"/v2/{repository}/blobs/uploads/")
        assert begun == (0, 0)
        url = f"{answer.headers['location']}&digest={digest_of(content)}"
        return self.send("PUT", url, content=content)[1]

    def push(self, repository: str, tag: str, image: Image) -> Cost:
        for blob in image.blobs:
            self.push_blob(repository, blob)
        return self.put(repository, tag, image.manifest)

    def put(self, repository: str, tag: str, manifest: bytes) -> Cost:
        media_type = json.loads(manifest)["mediaType"]
        url = f"/v2/{repository}/manifests/{tag}"
        headers = {"Content-Type": media_type}
        return self.send("PUT", url, content=manifest, headers=headers)[1]


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, Process]]:
    password = secrets.token_urlsafe(32)
    with Azurite(tmp_path_factory.mktemp("budget")) as azurite:
        environment = {
            "RegistryStorage": azurite.connection_string,
            "REGISTRY_ADMIN_PASSWORD": password,
        }
        with HostProcess(ROOT, environment) as one:
            pusher = Process(one, password)
            pusher.send("GET", "/v2/")  # Makes tables and keys; the other finds them.
            with HostProcess(ROOT, environment) as two:
                fresh = Process(two, password)
                yield pusher, fresh
                fresh.http.close()
            pusher.http.close()


@pytest.fixture
def repository() -> str:
    return f"team/{secrets.token_hex(4)}/web"


def test_a_process_opens_its_storage_in_one_round(processes: tuple[Process, Process]) -> None:
    _, fresh = processes
    _, cost = fresh.send("GET", "/v2/")
    assert cost == (0, 0)
    assert fresh.cost_of_opening() == (2, 1)


def test_pushing_takes_what_it_may(processes: tuple[Process, Process], repository: str) -> None:
    pusher, other = processes
    small, large = secrets.token_bytes(1000), secrets.token_bytes(20 * 1024 * 1024)
    assert pusher.push_blob(repository, small) == (2, 2)

    answer, cost = pusher.send("POST", f"/v2/{repository}/blobs/uploads/")
    assert cost == (0, 0)
    # Streamed to one process, committed by the other.
    answer, cost = pusher.send("PATCH", answer.headers["location"], content=pieces_of(large))
    assert cost == (4, 4)
    url = f"{answer.headers['location']}&digest={digest_of(large)}"
    _, cost = other.send("PUT", url)
    assert cost == (2, 2)

    query = {"mount": digest_of(small), "from": repository}
    _, cost = other.send("POST", f"/v2/{repository}-two/blobs/uploads/", params=query)
    # Beside the link, the locks of the repository that the blob is pulled from.
    assert cost == (3, 2)


def test_a_manifest_takes_three_rounds_in_a_new_repository_and_an_old_one(
    processes: tuple[Process, Process], repository: str
) -> None:
    pusher, _ = processes
    # Three rows in one round; two blobs, the config and the catalog; the transaction. Where the
    # blobs lie is in memory: this process has committed them.
    assert pusher.push(repository, "v1", Image.make()) == (8, 3)
    assert pusher.push(repository, "v1", Image.make()) == (7, 3)
    children = [Image.make() for _ in range(2)]
    for child in children:
        pusher.push(repository, child.digest, child)
    # An index has neither config nor blobs.
    index = index_of([child.descriptor for child in children])
    assert pusher.put(repository, "all", index) == (6, 2)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_takes_what_it_may_cold_and_then_warm(
    processes: tuple[Process, Process], repository: str, method: str
) -> None:
    pusher, cold = processes
    image = Image.make()
    pusher.push(repository, "v1", image)

    by_tag = f"/v2/{repository}/manifests/v1"
    costs = [cold.send(method, by_tag)[1] for _ in range(2)]
    # The first reads the locks of the repository as well, beside the tag.
    assert costs == ([(3, 2), (1, 1)] if method == "GET" else [(2, 1), (1, 1)])

    # `GET` has read where the manifest's blobs lie, in its row. `HEAD` has read the tag only; it is
    # asked by somebody who may push, and so reads the link, to see when it was touched.
    blob = f"/v2/{repository}/blobs/{digest_of(image.layer)}"
    first = (0, 0) if method == "GET" else (1, 1)
    assert [cold.send(method, blob)[1] for _ in range(2)] == [first, (0, 0)]

    other = Image.make()
    pusher.push(repository, "v2", other)
    by_digest = f"/v2/{repository}/manifests/{other.digest}"
    assert [cold.send(method, by_digest)[1] for _ in range(2)] == [(1, 1), (0, 0)]


def test_a_page_of_any_listing_takes_one_call(
    processes: tuple[Process, Process], repository: str
) -> None:
    pusher, cold = processes
    image = Image.make()
    pusher.push(repository, "v1", image)
    referrers = f"/v2/{repository}/referrers/{image.digest}"
    for url in (f"/v2/{repository}/tags/list", "/v2/_catalog", referrers):
        assert cold.send("GET", url)[1] == (1, 1), url
