"""The everyday life of an image: built, pushed, pulled and run with Docker."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e.clients import Docker
from tests.e2e.images import EMPTY_LAYER, Image, Layer, digest_of, incompressible, tar
from tests.e2e.process import Result
from tests.e2e.registry import Registry

BIG = 300 * 1000 * 1000
# More than manifest, config and a layer of one file, far less than the shared layers.
SMALL = 100_000

DOCKERFILE = """\
FROM base:1
ENV LEVEL=3
COPY greeting /etc/greeting
CMD ["/bin/cat", "/etc/greeting"]
"""


def write_context(folder: Path, dockerfile: str, **files: bytes) -> Path:
    """Write what `docker build` takes."""
    folder.mkdir()
    (folder / "Dockerfile").write_text(dockerfile)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def fates(push: Result) -> dict[str, str]:
    """Tell what became of each layer of a push, by the short name that Docker gives it."""
    lines = (re.fullmatch(r"([0-9a-f]{12}): (.+)", line) for line in push.text.splitlines())
    found = [match.groups() for match in lines if match is not None]
    return {layer: fate for layer, fate in found if fate not in ("Preparing", "Waiting")}


def pushed_digest(push: Result) -> str:
    found = re.search(r"digest: (sha256:[0-9a-f]{64})", push.text)
    assert found is not None, push
    return found[1]


def test_two_images_of_one_base_are_built_pushed_pulled_and_run(
    docker: Docker, registry: Registry, program: bytes, scratch: Path
) -> None:
    # A base with a layer that is empty, which Docker's builder leaves out, and 300 MB that no
    # compression helps; two images on top of it.
    base_layers = [
        tar({"bin/cat": program}),
        EMPTY_LAYER,
        tar({"data": incompressible(BIG, scratch)}),
    ]
    base = Image([Layer(archive) for archive in base_layers])
    docker.load(base, "base:1")
    web, worker = (f"{registry.address}/team/app/{name}:1" for name in ("web", "worker"))
    for reference, words in ((web, b"I serve\n"), (worker, b"I work\n")):
        context = write_context(scratch / words.decode().strip(), DOCKERFILE, greeting=words)
        docker.build(context, reference)
    ids = {reference: docker.config_digest(reference) for reference in (web, worker)}
    shared = {layer.diff_id.removeprefix("sha256:")[:12] for layer in base.layers}

    # Everything of the first image is sent.
    position = registry.log_position()
    push = docker.push(web)
    assert set(fates(push).values()) == {"Pushed"}
    traffic = registry.traffic_since(position, "team/app/web")
    assert traffic.uploaded == len(shared | {"own layer", "config"}), traffic
    assert traffic.bytes_sent > BIG
    web_digest = pushed_digest(push)
    assert registry.manifest("team/app/web", "1").digest == web_digest

    # Of the second, in another repository, only what the first does not have.
    position = registry.log_position()
    push = docker.push(worker)
    became = fates(push)
    assert {became[layer] for layer in shared} == {"Mounted from team/app/web"}
    assert [fate for layer, fate in became.items() if layer not in shared] == ["Pushed"]
    traffic = registry.traffic_since(position, "team/app/worker")
    assert traffic.mounted == len(shared), traffic
    assert traffic.uploaded == len({"own layer", "config"}), traffic
    assert traffic.bytes_sent < SMALL

    # Pushed again, nothing is sent at all.
    position = registry.log_position()
    again = docker.push(worker)
    assert set(fates(again).values()) == {"Layer already exists"}
    assert pushed_digest(again) == pushed_digest(push)
    assert registry.traffic_since(position, "team/app/worker").uploaded == 0

    # With nothing left here, all of it comes back.
    for reference in (web, worker, "base:1"):
        docker.remove(reference)
    docker.call("image", "prune", "--all", "--force")
    assert not docker.call("image", "ls", "--all", "--quiet").text
    assert web_digest in docker.pull(web).text
    docker.pull(worker)
    assert {reference: docker.config_digest(reference) for reference in ids} == ids
    assert docker.run_image(web) == "I serve"
    assert docker.run_image(worker) == "I work"

    stored = registry.manifest("team/app/web", "1").json()
    assert stored["config"]["digest"] == ids[web]
    assert digest_of(registry.blob("team/app/web", ids[web])) == ids[web]
