"""Moving a registry to another one: the commands of docs/acr-compatibility.md, as printed.

Here a Slipway stands in for ACR. Both are called by the names that the page uses.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devhost.cert import CertificateDirectory
from tests.e2e.artefacts import EMPTY, artefact, referrers, tags
from tests.e2e.conftest import Inventory
from tests.e2e.images import (
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    Layer,
    descriptor,
    digest_of,
    incompressible,
    index_of,
    tar,
)
from tests.e2e.process import Result, run
from tests.e2e.registry import ROOT, Registry
from tests.e2e.sandbox import Sandbox

OLD, NEW = "contoso.azurecr.io", "registry.example.com"
PAGE = (ROOT / "docs/acr-compatibility.md").read_text()
SCRIPT = "".join(re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL))
COPIES = re.findall(
    r"^\| `((\w+) .*copy.*|(oras) cp.*)` \| (\w+) \| (\w+) \| (\w+) \|$", PAGE, re.MULTILINE
)
SBOM, NOTE = "application/vnd.example.sbom.v1", "application/vnd.example.note.v1"
REPOSITORIES = ("base", "team/app/web")


@dataclass
class Move:
    """Two registries, and a machine that knows both by name and trusts their authority."""

    old: Registry
    new: Registry
    names: Mapping[str, str]
    sandbox: Sandbox
    environment: Mapping[str, str]
    folder: Path

    def shell(self, script: str, stdin: bytes = b"") -> Result:
        """Runs commands of the page, with ports behind the names."""
        for name, address in self.names.items():
            script = script.replace(name, address)
        command = self.sandbox.command(["bash", "-euo", "pipefail", "-c", script])
        return run(command, env=self.environment, stdin=stdin, cwd=self.folder)

    def state(self, registry: Registry, repository: str) -> dict[str, Any]:
        """What a registry tells of a repository, less times and its own name."""
        found: dict[str, Any] = {}
        for path in ("", "/_tags?n=1000", "/_manifests?n=1000"):
            answer = registry.request("GET", f"/acr/v1/{repository}{path}")
            assert answer.status == 200, answer
            text = re.sub(
                r'"(createdTime|lastUpdateTime|registry)":"[^"]*",?', "", answer.body.decode()
            )
            found[path] = json.loads(text.replace(",}", "}"))
        return found


@pytest.fixture(scope="module")
def move(workspace: Path, environment: dict[str, str], inventory: Inventory) -> Iterator[Move]:
    inventory.require("regctl", "oras", "crane", "skopeo", "cosign")
    folder = workspace / "moving"
    folder.mkdir()
    certificates = CertificateDirectory(folder / "certificates", (OLD, NEW))
    certificates.ensure()
    started: list[Registry] = []
    names = {}
    try:
        for name, user in ((OLD, "contoso"), (NEW, "admin")):
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            names[name] = f"{name}:{port}"
            settings = {
                "PORT": str(port),
                "REGISTRY_LOGIN_SERVERS": f"{name}:{port},localhost:{port}",
                "REGISTRY_ADMIN_USERNAME": user,
            }
            registry = Registry(folder / name, certificates=certificates, settings=settings)
            started.append(registry)
        old, new = started[0].as_user("contoso"), started[1].as_user("admin")
        sandbox = Sandbox(folder / "machine")
        with (sandbox.root / "etc/hosts").open("a") as hosts:
            hosts.write(f"127.0.0.1 {OLD} {NEW}\n")
        home = folder / "home"
        home.mkdir()
        own = {
            "HOME": str(home),
            "SSL_CERT_FILE": str(certificates.authority),
            "CURL_CA_BUNDLE": str(certificates.authority),
            "COSIGN_PASSWORD": "",
            "REGISTRY_AUTH_FILE": str(home / "auth.json"),
        }
        yield Move(old, new, names, sandbox, {**environment, **own}, home)
    finally:
        for registry in started:
            registry.stop()


@dataclass(frozen=True)
class Content:
    """What there is to be moved, in one repository."""

    repository: str
    index: bytes
    children: tuple[bytes, ...]
    referrers: Mapping[str, str]
    """By the digest of each subject that of the artefact that refers to it."""
    digest_tag: str


def fill(registry: Registry, repository: str) -> Content:
    """Pushes an index of two platforms, what refers to it and to that, and more."""
    platforms = ("amd64", "arm64")
    images = {
        each: Image(
            [Layer(tar({"data": incompressible(1000, (repository, each))}))],
            {"architecture": each, "os": "linux"},
        )
        for each in platforms
    }
    for image in images.values():
        registry.push_image(repository, image.digest, image)
    index, media_type = index_of(images)
    for tag in ("v2", "v10", "latest"):
        registry.push_manifest(repository, tag, index, media_type)
    registry.push_blob(repository, EMPTY)
    found = {}
    child = images["arm64"].manifest
    sbom = artefact(descriptor(OCI_INDEX, index), SBOM)
    of_sbom = artefact(descriptor(OCI_MANIFEST, sbom), NOTE)
    of_child = artefact(descriptor(OCI_MANIFEST, child), NOTE)
    for subject, content in ((index, sbom), (sbom, of_sbom), (child, of_child)):
        registry.push_manifest(repository, digest_of(content), content, OCI_MANIFEST)
        found[digest_of(subject)] = digest_of(content)
    digest_tag = f"{digest_of(index).replace(':', '-')}.att"
    registry.push_manifest(repository, digest_tag, images["amd64"].manifest, OCI_MANIFEST)
    untagged = Image([Layer(tar({"data": incompressible(1000, (repository, "untagged"))}))])
    registry.push_image(repository, untagged.digest, untagged)
    return Content(
        repository, index, tuple(image.manifest for image in images.values()), found, digest_tag
    )


def test_everything_moves_by_the_commands_of_the_page(move: Move) -> None:
    contents = [fill(move.old, repository) for repository in REPOSITORIES]
    signed = f"{OLD}/{REPOSITORIES[1]}@{digest_of(contents[1].index)}"
    by_key = "--key cosign.key --use-signing-config=false --tlog-upload=false --yes"
    move.shell(
        f"cosign login --username contoso --password-stdin {OLD}\n"
        f"cosign generate-key-pair\ncosign sign {by_key} {signed}",
        move.old.password.encode(),
    )
    locks = {
        f"{REPOSITORIES[0]}/_tags/v2": {"deleteEnabled": False, "writeEnabled": False},
        f"{REPOSITORIES[1]}/_manifests/{digest_of(contents[1].index)}": {"writeEnabled": False},
        REPOSITORIES[1]: {"deleteEnabled": False},
    }
    for path, lock in locks.items():
        answer = move.old.request("PATCH", f"/acr/v1/{path}", json.dumps(lock).encode())
        assert answer.status == 200, answer

    passwords = f"{move.old.password}\n{move.new.password}\n".encode()
    said = move.shell(SCRIPT, passwords)

    for content in contents:
        repository = content.repository
        before = move.state(move.old, repository)
        assert before["/_tags?n=1000"]["tags"]
        assert move.state(move.new, repository) == before
        for manifest in (content.index, *content.children):
            assert move.new.manifest(repository, digest_of(manifest)).content == manifest
        for digest in content.referrers:
            assert referrers(move.new, repository, digest) == referrers(
                move.old, repository, digest
            )
            assert referrers(move.new, repository, digest)
        times = move.new.request("GET", f"/acr/v1/{repository}/_tags?orderby=timeasc").json()
        order = [tag["name"] for tag in times["tags"]]
        assert [name for name in order if "sha256" not in name] == ["v2", "v10", "latest"]
    for path, lock in locks.items():
        told = str(move.new.request("GET", f"/acr/v1/{path}").json())
        assert all(f"'{attribute}': {value}" in told for attribute, value in lock.items())
    # Nothing was left that would tell a password, and none was told.
    assert not list(move.folder.glob("move.*"))
    for secret in (move.old.password, move.new.password):
        assert secret.encode() not in said.stdout + said.stderr
    verified = move.shell(
        f"cosign login --username admin --password-stdin {NEW}\n"
        f"cosign verify --key cosign.pub --insecure-ignore-tlog {NEW}/{REPOSITORIES[1]}:v10",
        move.new.password.encode(),
    )
    (claim,) = json.loads(verified.stdout)
    found = claim["critical"]["image"]["docker-manifest-digest"]
    assert found == digest_of(contents[1].index)


@pytest.fixture(scope="module")
def single(move: Move) -> Content:
    """Signs the single tools in at both."""
    content = fill(move.old, "single")
    for name, registry in ((OLD, move.old), (NEW, move.new)):
        who = f"--username {registry.username} --password-stdin {name}"
        for tool in ("crane auth login", "oras login", "skopeo login", "regctl registry login"):
            options = who.replace("--username", "--user").replace(
                "--password-stdin", "--pass-stdin"
            )
            command = f"{tool} {options if tool.startswith('regctl') else who}"
            move.shell(command, registry.password.encode())
    return content


@pytest.mark.parametrize(
    ("command", "platforms", "refers", "named"),
    [pytest.param(c, *said, id=c.partition(" ")[0]) for c, _, _, *said in COPIES],
)
def test_a_client_that_copies_one_image_takes_along_what_the_page_says(
    move: Move, single: Content, command: str, platforms: str, refers: str, named: str
) -> None:
    target = f"single-{command.partition(' ')[0]}"
    script = command.replace("$NEW/$NAME", f"{NEW}/{target}").replace("$OLD/$NAME", f"{OLD}/single")
    move.shell(script.replace("$TAG", "v10"))
    assert move.new.manifest(target, "v10").content == single.index
    arrived = [move.new.has_manifest(target, digest_of(child)) for child in single.children]
    assert (platforms, arrived) == ("yes", [True, True])
    found = {
        subject: [each["digest"] for each in referrers(move.new, target, subject)]
        for subject in single.referrers
    }
    # Those of the index, of what refers to it, and of one platform.
    expected = {subject: [digest] for subject, digest in single.referrers.items()}
    assert found == (expected if refers == "yes" else {key: [] for key in expected})
    assert (single.digest_tag in tags(move.new, target)) is (named == "yes")


def test_the_page_names_the_clients_that_are_tried() -> None:
    names = [command.partition(" ")[0] for command, *_ in COPIES]
    assert names == ["regctl", "oras", "crane", "skopeo"]
