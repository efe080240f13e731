"""An image for Windows: its base layer lives elsewhere, and the registry keeps only the address."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.e2e.clients import Crane, Skopeo
from tests.e2e.images import Image, Layer, digest_of, incompressible, tar
from tests.e2e.registry import Registry

WINDOWS = {"architecture": "amd64", "os": "windows", "os.version": "10.0.20348.2700"}

both_formats = pytest.mark.parametrize("docker_format", [False, True], ids=["oci", "docker-v2s2"])


@dataclass(frozen=True)
class Elsewhere:
    """A web server with the one layer that the registry must not need."""

    layer: Layer
    url: str


@pytest.fixture
def elsewhere(repository: str) -> Iterator[Elsewhere]:
    layer = Layer(tar({"Files/system": incompressible(1000, repository)}))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(layer.content)))
            self.end_headers()
            self.wfile.write(layer.content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Elsewhere(layer, f"http://127.0.0.1:{server.server_address[1]}/base")
        server.shutdown()
        thread.join()


@pytest.fixture
def windows_image(elsewhere: Elsewhere, repository: str, docker_format: bool) -> Image:
    base = Layer(elsewhere.layer.archive, urls=(elsewhere.url,))
    own = Layer(tar({"Files/app": repository.encode()}))
    return Image([base, own], WINDOWS, docker_format=docker_format)


def assert_kept(registry: Registry, repository: str, image: Image) -> None:
    """Check that the registry has the image as it is, without the layer that lives elsewhere."""
    stored = registry.manifest(repository, "1")
    assert (stored.content, stored.media_type) == (image.manifest, image.media_type)
    assert registry.blob(repository, image.config_digest) == image.config
    base, own = image.layers
    assert registry.blob(repository, digest_of(own.content)) == own.content
    assert not registry.has_blob(repository, digest_of(base.content))


@both_formats
def test_skopeo_gets_a_foreign_layer_from_its_address_and_the_rest_byte_for_byte(
    skopeo: Skopeo, registry: Registry, repository: str, windows_image: Image
) -> None:
    reference = f"{registry.address}/{repository}:1"
    skopeo.load(windows_image, reference)
    skopeo.push(reference)
    skopeo.remove(reference)
    assert_kept(registry, repository, windows_image)

    skopeo.pull(reference)

    assert skopeo.manifest(reference) == windows_image.manifest
    files = skopeo.path(reference)
    for content in (windows_image.config, *(layer.content for layer in windows_image.layers)):
        assert (files / digest_of(content).removeprefix("sha256:")).read_bytes() == content


@both_formats
def test_crane_pushes_and_reads_an_image_with_a_foreign_layer_byte_for_byte(
    crane: Crane, registry: Registry, repository: str, windows_image: Image
) -> None:
    reference = f"{registry.address}/{repository}:1"
    crane.load(windows_image, reference)
    crane.push(reference)
    assert_kept(registry, repository, windows_image)

    # Not pulled: crane does not fetch a layer from an address of this machine.
    assert crane.call("manifest", reference).stdout.strip() == windows_image.manifest
    assert crane.call("config", reference).stdout.strip() == windows_image.config


@both_formats
def test_a_foreign_layer_is_not_asked_for_when_a_manifest_is_put(
    registry: Registry, repository: str, windows_image: Image
) -> None:
    registry.push_image(repository, "1", windows_image)
    assert_kept(registry, repository, windows_image)
