"""`slipway push`: images of engines with layers that no single request takes, and archives."""

from __future__ import annotations

import gzip
import json
import re
import select
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.artefact_clients import Oras
from tests.e2e.artefacts import Subject, artefact, referrers
from tests.e2e.buildkit import Builder
from tests.e2e.clients import Client, Docker, Skopeo
from tests.e2e.conftest import Inventory, Toolbox
from tests.e2e.images import (
    OCI_MANIFEST,
    Image,
    Layer,
    digest_of,
    incompressible,
    tar,
)
from tests.e2e.process import TIMEOUT, CommandError, Result, run, signal_group
from tests.e2e.registry import ROOT, Registry

MIB = 1024 * 1024
LIMIT = 16 * MIB
Slipway = Callable[..., Result]
Clients = Callable[[str], Client]


@pytest.fixture(scope="module")
def limited(workspace: Path) -> Iterator[Registry]:
    """A registry of which the host takes no body above a limit."""
    settings = {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": str(LIMIT)}
    started = Registry(workspace / "limited", settings=settings)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def who(limited: Registry) -> dict[str, str]:
    """The registry of the commands, and as whom they sign in."""
    return {
        "SLIPWAY_REGISTRY": limited.address,
        "SLIPWAY_USERNAME": limited.username,
        "SLIPWAY_PASSWORD": limited.password,
    }


@pytest.fixture
def slipway(scratch: Path, who: Mapping[str, str]) -> Slipway:
    """Runs a command on a machine that has no container tool, nor any other program."""
    (scratch / "empty").mkdir()
    environment = {**who, "PATH": str(scratch / "empty"), "HOME": str(scratch)}

    def call(*words: str | Path, stdin: bytes = b"") -> Result:
        command = [sys.executable, "-m", "slipway_cli", *words]
        return run(command, env=environment, stdin=stdin, cwd=ROOT)

    return call


@pytest.fixture
def large(program: bytes, repository: str) -> Image:
    """An image with a layer above the limit."""
    data = incompressible(LIMIT + 8 * MIB, repository)
    return Image([Layer(tar({"bin/cat": program})), Layer(tar({"data": data}))])


def assert_is(image: Image, registry: Registry, repository: str, tag: str) -> str:
    """The layers are those of the image, however they are compressed; answers the digest."""
    manifest = registry.manifest(repository, tag)
    document = manifest.json()
    blobs = [registry.blob(repository, layer["digest"]) for layer in document["layers"]]
    archives = [gzip.decompress(blob) if blob[:2] == b"\x1f\x8b" else blob for blob in blobs]
    assert archives == [layer.archive for layer in image.layers]
    config = json.loads(registry.blob(repository, document["config"]["digest"]))
    assert config["rootfs"]["diff_ids"] == [layer.diff_id for layer in image.layers]
    return manifest.digest


@pytest.mark.parametrize("client", ["docker", "podman"], indirect=True)
def test_an_image_of_an_engine_with_a_layer_above_the_limit_is_pushed_by_one_command(
    client: Client,
    limited: Registry,
    repository: str,
    large: Image,
    who: Mapping[str, str],
) -> None:
    client.load(large, "localhost/app:dev")
    words = ("push", "localhost/app:dev", f"{repository}:v1", "--engine", client.name)
    command = client.among([ROOT / "slipway", *words])
    pushed = run(command, env={**client.environment, **who})
    place = f"{limited.address}/{repository}"
    digest = assert_is(large, limited, repository, "v1")
    assert pushed.stdout.decode() == f"{place}@{digest}\n"
    assert pushed.stderr.decode().splitlines()[-1] == f"FROM {place}@{digest}"
    # The name at the relay's address is gone, and the image is still there.
    assert client.holds("localhost/app:dev")
    assert "127.0.0.1" not in client.call("images").text


def test_ctrl_c_takes_the_name_at_the_relay_away_and_says_how_to_go_on(
    docker: Docker, limited: Registry, repository: str, large: Image, who: Mapping[str, str]
) -> None:
    docker.load(large, "app:dev")
    words = ("push", "app:dev", f"{repository}:v1", "--engine", "docker")
    with subprocess.Popen(
        # As a terminal starts it: whoever runs the tests in the background has SIGINT ignored.
        ["env", "--default-signal=INT", ROOT / "slipway", *words],
        env={**docker.environment, **who},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as pushing:
        while "127.0.0.1" not in docker.call("images").text:
            assert pushing.poll() is None
        signal_group(pushing, signal.SIGINT)
        out, err = pushing.communicate(timeout=TIMEOUT)
    assert (pushing.returncode, out) == (130, b""), err
    assert b"interrupted. To go on, repeat the command" in err
    assert "127.0.0.1" not in docker.call("images").text
    assert docker.holds("app:dev")
    assert not limited.has_manifest(repository, "v1")


def test_who_may_not_push_is_told_so_before_the_engine_begins(
    docker: Docker, image: Image, repository: str, who: Mapping[str, str]
) -> None:
    docker.load(image, "app:dev")
    wrong = {**docker.environment, **who, "SLIPWAY_PASSWORD": "another"}
    with pytest.raises(CommandError) as refused:
        run([ROOT / "slipway", "push", "app:dev", f"{repository}:v1"], env=wrong)
    assert refused.value.result.status == 4
    assert "Sign in again" in refused.value.result.output


def test_an_engine_elsewhere_is_not_asked_but_how_to_push_is_told(
    docker: Docker, image: Image, repository: str, who: Mapping[str, str]
) -> None:
    docker.load(image, "app:dev")
    with Elsewhere(docker.environment["DOCKER_HOST"]) as address:
        moved = {**docker.environment, **who, "DOCKER_HOST": address}
        with pytest.raises(CommandError) as refused:
            run([ROOT / "slipway", "push", "app:dev", f"{repository}:v1"], env=moved)
        assert refused.value.result.status == 1
        told = re.search(r"`(docker save app:dev \| slipway push [^`]+)`", str(refused.value))
        assert told, refused.value
        # What is told to do instead does it.
        path = {"PATH": f"{ROOT}:{moved['PATH']}"}
        run(["sh", "-euc", told[1]], env={**moved, **path})


class Elsewhere:
    """An engine as it is seen from another machine: by TCP."""

    def __init__(self, address: str) -> None:
        path = address.removeprefix("unix://")

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.socket(socket.AF_UNIX) as engine:
                    engine.connect(path)
                    sockets = {engine: self.request, self.request: engine}
                    while sockets:
                        for ready in select.select(list(sockets), [], [])[0]:
                            if content := ready.recv(65536):
                                sockets[ready].sendall(content)
                            else:
                                return

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> str:
        self._thread.start()
        return f"tcp://127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def saved_by_docker(clients: Clients, image: Image, path: Path) -> None:
    docker = clients("docker")
    docker.load(image, "app:dev")
    docker.call("save", "--output", path, "app:dev")


def saved_by_podman(kind: str) -> Callable[[Clients, Image, Path], None]:
    def save(clients: Clients, image: Image, path: Path) -> None:
        podman = clients("podman")
        podman.load(image, "localhost/app:dev")
        podman.call("save", "--format", kind, "--output", path, "localhost/app:dev")

    return save


def saved_by_skopeo(transport: str, suffix: str = "") -> Callable[[Clients, Image, Path], None]:
    def save(clients: Clients, image: Image, path: Path) -> None:
        skopeo = clients("skopeo")
        assert isinstance(skopeo, Skopeo)
        skopeo.load(image, "app")
        skopeo.copy(f"dir:{skopeo.path('app')}", f"{transport}:{path}{suffix}")
        skopeo.remove("app")

    return save


def saved_by_buildah(transport: str) -> Callable[[Clients, Image, Path], None]:
    def save(clients: Clients, image: Image, path: Path) -> None:
        buildah = clients("buildah")
        buildah.load(image, "localhost/app:dev")
        buildah.call("push", "localhost/app:dev", f"{transport}:{path}:app:dev")

    return save


def saved_by_regctl(clients: Clients, image: Image, path: Path) -> None:
    image.write_layout(path.with_suffix(".layout"), "v1")
    with path.open("wb") as file:
        file.write(
            run(
                ["regctl", "image", "export", f"ocidir://{path.with_suffix('.layout')}:v1"],
                env=clients("skopeo").environment,
            ).stdout
        )


ARCHIVES = {
    "docker": saved_by_docker,
    "podman oci-archive": saved_by_podman("oci-archive"),
    "podman docker-archive": saved_by_podman("docker-archive"),
    "skopeo oci": saved_by_skopeo("oci", ":v1"),
    "skopeo docker-archive": saved_by_skopeo("docker-archive", ":app:dev"),
    "buildah oci-archive": saved_by_buildah("oci-archive"),
    "regctl": saved_by_regctl,
}


@pytest.mark.parametrize("maker", ARCHIVES)
def test_an_archive_of_any_tool_is_pushed_where_there_is_none(
    maker: str,
    clients: Clients,
    limited: Registry,
    repository: str,
    image: Image,
    slipway: Slipway,
    scratch: Path,
) -> None:
    path = scratch / "archive"
    ARCHIVES[maker](clients, image, path)
    pushed = slipway("push", "--archive", path, f"{repository}:v1")
    digest = assert_is(image, limited, repository, "v1")
    assert pushed.stdout.decode() == f"{limited.address}/{repository}@{digest}\n"
    if path.is_file():
        again = slipway("push", "--archive", "-", f"{repository}:v2", stdin=path.read_bytes())
        assert again.stdout == pushed.stdout


def test_what_docker_saves_is_pushed_as_it_comes_with_a_layer_above_the_limit(
    docker: Docker,
    limited: Registry,
    repository: str,
    large: Image,
    who: Mapping[str, str],
) -> None:
    docker.load(large, "app:dev")
    script = f"docker save app:dev | '{ROOT}/slipway' push --archive - {repository}:v1"
    run(["sh", "-euc", script], env={**docker.environment, **who})
    assert_is(large, limited, repository, "v1")


@pytest.mark.parametrize("client", ["docker", "podman", "skopeo", "crane", "ctr"], indirect=True)
def test_layers_that_are_not_compressed_are_pulled_by_every_client(
    client: Client, docker: Docker, registry: Registry, repository: str, image: Image, scratch: Path
) -> None:
    """As an archive of docker has them."""
    archive = image.write_docker_archive(scratch / "archive", "app:dev")
    who = {"SLIPWAY_USERNAME": registry.username, "SLIPWAY_PASSWORD": registry.password}
    place = f"{registry.address}/{repository}:v1"
    run([ROOT / "slipway", "push", "--archive", archive, place], env={**client.environment, **who})
    client.pull(place)
    assert client.config_digest(place) == image.config_digest


def test_an_archive_of_buildkit_is_pushed_with_its_attestations(
    limited: Registry,
    repository: str,
    slipway: Slipway,
    scratch: Path,
    environment: dict[str, str],
) -> None:
    context, archive = scratch / "context", scratch / "app.tar"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nCOPY data /data\n")
    (context / "data").write_bytes(incompressible(LIMIT + 4 * MIB, repository))
    builder = Builder(scratch / "builder", environment, limited)
    try:
        attest = ("--opt", "attest:provenance=mode=min")
        builder.build(context, f"type=oci,dest={archive}", *attest)
    finally:
        builder.stop()
    pushed = slipway("push", "--archive", archive, f"{repository}:v1")
    index = limited.manifest(repository, "v1")
    assert pushed.text == f"{limited.address}/{repository}@{index.digest}"
    image, attestation = index.json()["manifests"]
    assert attestation["annotations"]["vnd.docker.reference.digest"] == image["digest"]
    (layer,) = limited.manifest(repository, image["digest"]).json()["layers"]
    assert len(limited.blob(repository, layer["digest"])) > LIMIT
    assert limited.has_manifest(repository, attestation["digest"])


def test_a_layout_of_oras_is_pushed_with_all_that_refers_to_it(
    oras: Oras,
    limited: Registry,
    subject: Subject,
    repository: str,
    slipway: Slipway,
    scratch: Path,
) -> None:
    below = artefact(subject.descriptor, "application/vnd.example.sbom")
    subject.registry.push_blob(repository, b"{}")
    subject.registry.push_manifest(repository, digest_of(below), below, OCI_MANIFEST)
    layout = scratch / "layout"
    words = ("cp", "--recursive", "--from-plain-http", "--to-oci-layout", subject.by_tag)
    oras.call(*words, f"{layout}:v1")
    pushed = slipway("push", "--archive", layout, f"{repository}:v1")
    assert pushed.text.endswith(f"@{subject.image.digest}")
    assert limited.manifest(repository, "v1").content == subject.image.manifest
    (found,) = referrers(limited, repository, subject.image.digest)
    assert found["digest"] == digest_of(below)


@pytest.mark.parametrize("name", ["skopeo", "crane", "oras"])
def test_without_the_relay_clients_say_what_the_page_on_limits_says(
    name: str,
    request: pytest.FixtureRequest,
    inventory: Inventory,
    limited: Registry,
    repository: str,
    large: Image,
    scratch: Path,
) -> None:
    tool = Toolbox(request, limited, scratch, inventory)(name)
    place = f"{limited.address}/{repository}:v1"
    if isinstance(tool, Client):
        tool.load(large, place)
        push = partial(tool.push, place)
    else:
        (scratch / "file").write_bytes(large.layers[1].archive)
        push = partial(tool.call, "push", "--plain-http", place, "file", cwd=scratch)
    with pytest.raises(CommandError) as refused:
        push()
    page = (ROOT / "docs" / "limits.md").read_text().partition("say above the limit\n")[2]
    rows = dict(re.findall(r"^\| (\w+)[^|]* \| (.*) \| .* \|$", page, re.MULTILINE))
    told = rows["podman"] if rows[name] == "the same" else rows[name]
    output = refused.value.result.output
    assert any(words in output for words in re.findall("`([^`]+)`", told)), output
