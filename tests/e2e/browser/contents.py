"""What the page shows in the tests, pushed by real clients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.artefact_clients import Cosign, Helm, Oras
from tests.e2e.clients import Crane, Skopeo
from tests.e2e.images import Image, Layer, encode, incompressible, tar
from tests.e2e.registry import Registry
from tests.e2e.tool import Tool

MIB = 1024 * 1024
APP = "team/app/web"
PUBLIC = "public/tools/cat"
CHART = "charts/web"
SBOM = {"spdxVersion": "SPDX-2.3", "name": "web", "packages": []}


@dataclass(frozen=True)
class Application(Image):
    """An image whose config says more: environment, labels."""

    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> bytes:
        document = json.loads(super().config)
        document["config"] |= self.settings
        return encode(document)


@dataclass(frozen=True)
class Contents:
    first: Image
    second: Image
    index: str
    """The digest of the index `v2-all`, of two platforms."""


def _application(version: str, base: Layer) -> Application:
    own = Layer(tar({"srv/web": incompressible(MIB // 2, version)}))
    return Application(
        (base, own),
        settings={
            "Env": ["PATH=/usr/bin:/bin", f"WEB_VERSION={version}"],
            "Labels": {
                "org.opencontainers.image.version": version,
                "org.opencontainers.image.source": "https://git.example.com/team/web",
            },
        },
    )


def push_contents(registry: Registry, crane: Crane, tools: Mapping[str, Tool]) -> Contents:
    """Push with crane, skopeo, cosign, oras and helm."""
    base = Layer(tar({"usr/lib/base": incompressible(MIB, "base")}))
    first, second = _application("1", base), _application("2", base)
    other = Image((base,), platform={"os": "linux", "architecture": "arm64", "variant": "v8"})
    name = f"{registry.address}/{APP}"
    for tag, image in (("v1", first), ("v2", second), ("v2-arm64", other)):
        crane.load(image, f"{name}:{tag}")
        crane.push(f"{name}:{tag}")
    crane.call(
        "index", "append", "-m", f"{name}:v2", "-m", f"{name}:v2-arm64", "-t", f"{name}:v2-all"
    )
    index = registry.manifest(APP, "v2-all").digest
    _refer(tools, name, second.digest)
    _push_chart(tools["helm"], registry)
    skopeo = tools["skopeo"]
    assert isinstance(skopeo, Skopeo)
    public = f"{registry.address}/{PUBLIC}:latest"
    skopeo.load(Image((base,), docker_format=True), public)
    skopeo.push(public)
    for number in range(1, 4):
        crane.call("copy", f"{name}:v1", f"{registry.address}/team/service-{number}:{number}.0")
    return Contents(first, second, index)


def _refer(tools: Mapping[str, Tool], name: str, digest: str) -> None:
    """A signature and an SBOM of an image."""
    cosign, oras = tools["cosign"], tools["oras"]
    assert isinstance(cosign, Cosign)
    assert isinstance(oras, Oras)
    cosign.call("generate-key-pair", cwd=cosign.folder)
    cosign.write("sign", cosign.folder / "cosign.key", f"{name}@{digest}")
    (oras.folder / "sbom.spdx.json").write_text(json.dumps(SBOM))
    attach = ("attach", "--artifact-type", "application/spdx+json", f"{name}@{digest}")
    oras.remote(*attach, "sbom.spdx.json:application/spdx+json", cwd=oras.folder)


def _push_chart(helm: Tool, registry: Registry) -> None:
    assert isinstance(helm, Helm)
    helm.call("create", "web", cwd=helm.folder)
    helm.call("package", "web", "--version", "1.2.3", cwd=helm.folder)
    helm.remote("push", "web-1.2.3.tgz", f"oci://{registry.address}/charts", cwd=helm.folder)
