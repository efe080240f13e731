"""helm keeps charts in the registry, under tags that are their versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.artefact_clients import Helm
from tests.e2e.artefacts import tags
from tests.e2e.images import digest_of
from tests.e2e.process import CommandError
from tests.e2e.registry import Registry

CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

#: A `+` is not for tags, so helm writes `_` instead, and reads it as `+`.
VERSION, TAG = "1.2.3+build.7", "1.2.3_build.7"


def package(helm: Helm, folder: Path, version: str) -> Path:
    """Make a chart named `greeter` and return the archive that helm packs it into."""
    source = folder / version / "greeter"
    (source / "templates").mkdir(parents=True)
    (source / "Chart.yaml").write_text(
        f"apiVersion: v2\nname: greeter\nversion: {version}\ndescription: says ü <&>\n"
    )
    (source / "templates" / "greeting.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n"
        'data:\n  version: "{{ .Chart.Version }}"\n'
    )
    helm.call("package", source, "--destination", folder)
    return folder / f"greeter-{version}.tgz"


def push(helm: Helm, registry: Registry, repository: str, archive: Path) -> str:
    """Push a chart and return the name to pull it by."""
    helm.remote("push", archive, f"oci://{registry.address}/{repository}")
    return f"oci://{registry.address}/{repository}/greeter"


def pull(helm: Helm, chart: str, target: Path, version: str) -> Path:
    """Pull a chart into a new folder and return the archive that came."""
    target.mkdir()
    helm.remote("pull", chart, "--version", version, "--destination", target)
    (archive,) = target.iterdir()
    return archive


def test_a_chart_whose_version_is_no_tag_comes_back_byte_for_byte(
    helm: Helm, registry: Registry, repository: str, scratch: Path
) -> None:
    archive = package(helm, scratch, VERSION)
    chart = push(helm, registry, repository, archive)

    assert tags(registry, f"{repository}/greeter") == [TAG]
    pulled = pull(helm, chart, scratch / "pulled", VERSION)
    assert pulled.name == archive.name
    assert pulled.read_bytes() == archive.read_bytes()


def test_the_registry_holds_a_chart_as_helm_describes_it(
    helm: Helm, registry: Registry, repository: str, scratch: Path
) -> None:
    archive = package(helm, scratch, VERSION)
    push(helm, registry, repository, archive)

    content = registry.manifest(f"{repository}/greeter", TAG).json()
    config, (layer,) = content["config"], content["layers"]
    assert (config["mediaType"], layer["mediaType"]) == (CONFIG, CHART)
    assert content["annotations"]["org.opencontainers.image.version"] == VERSION
    assert layer["digest"] == digest_of(archive.read_bytes())
    assert registry.blob(f"{repository}/greeter", layer["digest"]) == archive.read_bytes()
    stored = json.loads(registry.blob(f"{repository}/greeter", config["digest"]))
    assert (stored["name"], stored["version"]) == ("greeter", VERSION)


def test_a_chart_is_shown_and_rendered_from_the_registry(
    helm: Helm, registry: Registry, repository: str, scratch: Path
) -> None:
    chart = push(helm, registry, repository, package(helm, scratch, VERSION))

    shown = helm.remote("show", "chart", chart, "--version", VERSION).text
    assert f"version: {VERSION}" in shown
    assert "description: says ü <&>" in shown
    rendered = helm.remote("template", "hello", chart, "--version", VERSION).text
    assert "name: hello" in rendered
    assert f'version: "{VERSION}"' in rendered


@pytest.mark.parametrize(
    ("wanted", "found"), [("", "1.10.0"), ("~1.9.0", "1.9.1"), ("1.9.0", "1.9.0")]
)
def test_of_many_versions_helm_finds_the_highest_that_is_wanted(
    wanted: str, found: str, helm: Helm, registry: Registry, repository: str, scratch: Path
) -> None:
    """Helm chooses among the tags that the registry lists, which are in another order."""
    archives = {}
    chart = ""
    for version in ("1.10.0", "1.9.0", "1.9.1"):
        archives[version] = package(helm, scratch, version)
        chart = push(helm, registry, repository, archives[version])
    assert tags(registry, f"{repository}/greeter") == ["1.10.0", "1.9.0", "1.9.1"]

    pulled = pull(helm, chart, scratch / "pulled", wanted)

    assert pulled.read_bytes() == archives[found].read_bytes()


def test_a_version_that_was_never_pushed_is_not_found(
    helm: Helm, registry: Registry, repository: str, scratch: Path
) -> None:
    chart = push(helm, registry, repository, package(helm, scratch, VERSION))
    with pytest.raises(CommandError) as missing:
        helm.remote("pull", chart, "--version", "9.9.9", "--destination", scratch)
    assert "not found" in missing.value.result.output
