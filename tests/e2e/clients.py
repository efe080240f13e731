"""The clients under test, each behind the same few verbs.

A reference is the full name of an image, as a user types it: `localhost:5000/team/app:1`.
"""

from __future__ import annotations

import json
import shutil
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e.engine import Engine
from tests.e2e.images import Image, digest_of, digests_in
from tests.e2e.process import Command, Result, run
from tests.e2e.registry import Registry
from tests.e2e.sandbox import Sandbox
from tests.e2e.tool import Tool


class Client(Tool):
    """One container client, with a store of its own for local images."""

    runs_containers = False

    @abstractmethod
    def load(self, image: Image, reference: str) -> None:
        """Put a hand-made image into the local store."""

    @abstractmethod
    def push(self, reference: str) -> Result: ...

    @abstractmethod
    def push_as(self, reference: str, other: str) -> Result:
        """Push the local image `reference` under another name."""

    @abstractmethod
    def pull(self, reference: str, platform: str | None = None) -> Result: ...

    @abstractmethod
    def remove(self, reference: str) -> None:
        """Delete the local image with its layers."""

    @abstractmethod
    def holds(self, reference: str) -> bool: ...

    @abstractmethod
    def config_digest(self, reference: str) -> str:
        """Return the digest of a local image's config."""

    def run_image(self, reference: str) -> str:
        """Run the image's own command and return what it printed."""
        raise NotImplementedError(self.name)

    def among(self, command: Command) -> Command:
        """Another program's command, to be run where this client runs."""
        return command


class Docker(Client):
    name = "docker"
    refusal = "unauthorized"
    runs_containers = True

    def __init__(
        self, registry: Registry, folder: Path, environment: Mapping[str, str], engine: Engine
    ) -> None:
        super().__init__(
            registry,
            folder,
            {
                **environment,
                "DOCKER_HOST": engine.docker_host,
                "DOCKER_CONFIG": str(folder / "config"),
                # The builder inside the engine. The other one is a plugin that not everybody has.
                "DOCKER_BUILDKIT": "0",
            },
        )

    def sign_in(self, password: str) -> None:
        name, address = self.registry.username, self.registry.address
        self.call("login", "--username", name, "--password-stdin", address, stdin=password.encode())

    def load(self, image: Image, reference: str) -> None:
        archive = image.write_docker_archive(self.scratch(), reference)
        self.call("load", "--input", archive)

    def build(self, context: Path, reference: str) -> None:
        self.call("build", "--tag", reference, context)

    def push(self, reference: str) -> Result:
        return self.call("push", reference)

    def push_as(self, reference: str, other: str) -> Result:
        self.call("tag", reference, other)
        return self.push(other)

    def pull(self, reference: str, platform: str | None = None) -> Result:
        return self.call("pull", *_option("--platform", platform), reference)

    def remove(self, reference: str) -> None:
        self.call("image", "rm", "--force", self.config_digest(reference))

    def holds(self, reference: str) -> bool:
        return bool(self.call("image", "ls", "--quiet", reference).text)

    def config_digest(self, reference: str) -> str:
        return self.call("image", "inspect", "--format", "{{.Id}}", reference).text

    def run_image(self, reference: str) -> str:
        return self.call("run", "--rm", "--network", "none", reference).text


class DockerInContainerd(Docker):
    """Docker whose engine keeps images in containerd, as Docker Desktop and newer engines do."""

    def __init__(
        self,
        registry: Registry,
        folder: Path,
        environment: Mapping[str, str],
        engine: Engine,
        sandbox: Sandbox,
    ) -> None:
        super().__init__(registry, folder, environment, engine)
        base: Command = ["ctr", "--address", engine.containerd_socket, "--namespace", "moby"]
        self._ctr = sandbox.command(base)

    def remove(self, reference: str) -> None:
        self.call("image", "rm", "--force", reference)

    def config_digest(self, reference: str) -> str:
        # What it calls an image's id is the digest of its manifest.
        digest = self.call("image", "inspect", "--format", "{{.Id}}", reference).text
        found = run([*self._ctr, "content", "get", digest], env=self.environment).stdout
        return str(json.loads(found)["config"]["digest"])


class _ContainersStorage(Client):
    """The clients that share the containers/storage library: podman and buildah."""

    refusal = "invalid username/password"

    def __init__(
        self, registry: Registry, folder: Path, environment: Mapping[str, str], driver: str
    ) -> None:
        self._sandbox = Sandbox(folder / "system")
        storage, containers = folder / "storage.conf", folder / "containers.conf"
        storage.write_text(
            f'[storage]\ndriver = "{driver}"\n'
            'runroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n'
        )
        # Limits that a user who may not raise them can still set, and no systemd.
        containers.write_text(
            '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]\n'
            'netns = "none"\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        )
        super().__init__(
            registry,
            folder,
            {
                **environment,
                "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
                "CONTAINERS_CONF": str(containers),
                "CONTAINERS_STORAGE_CONF": str(storage),
            },
        )

    def command(self, arguments: Command) -> Command:
        return self.among([self.name, *arguments])

    def among(self, command: Command) -> Command:
        return self._sandbox.command(command)

    def sign_in(self, password: str) -> None:
        name, address = self.registry.username, self.registry.address
        self.call(
            *("login", "--tls-verify=false", "--username", name, "--password-stdin", address),
            stdin=password.encode(),
        )

    def load(self, image: Image, reference: str) -> None:
        layout = image.write_layout(self.scratch())
        loaded = self.call("pull", "--quiet", f"oci:{layout}:latest").text
        self.call("tag", loaded, reference)

    def push(self, reference: str) -> Result:
        return self.push_as(reference, reference)

    def push_as(self, reference: str, other: str) -> Result:
        return self.call("push", "--tls-verify=false", reference, f"docker://{other}")

    def pull(self, reference: str, platform: str | None = None) -> Result:
        return self.call("pull", "--tls-verify=false", *_option("--platform", platform), reference)

    def remove(self, reference: str) -> None:
        self.call("rmi", "--force", self.config_digest(reference).removeprefix("sha256:"))

    def holds(self, reference: str) -> bool:
        images = json.loads(self.call("images", "--json").stdout or b"[]") or []
        return any(reference in (image.get("names") or ()) for image in images)


class Podman(_ContainersStorage):
    name = "podman"
    runs_containers = True

    def holds(self, reference: str) -> bool:
        return bool(self.call("images", "--quiet", reference).text)

    def config_digest(self, reference: str) -> str:
        found = self.call("image", "inspect", "--format", "{{.Id}}", reference).text
        return f"sha256:{found}"

    def run_image(self, reference: str) -> str:
        # Not crun, which Debian may have brought along: it takes no hybrid of control groups.
        return self.call("--runtime", "runc", "run", "--rm", reference).text


class Buildah(_ContainersStorage):
    name = "buildah"

    def config_digest(self, reference: str) -> str:
        template = "{{.FromImageID}}"
        found = self.call("inspect", "--type", "image", "--format", template, reference).text
        return f"sha256:{found}"


class CopyingClient(Client):
    """A client without a local store: it copies between a registry and folders."""

    def path(self, reference: str) -> Path:
        """Return the folder that stands for a local image."""
        images = self.folder / "images"
        images.mkdir(exist_ok=True)
        return images / digest_of(reference.encode()).removeprefix("sha256:")

    def push(self, reference: str) -> Result:
        return self.push_as(reference, reference)

    def remove(self, reference: str) -> None:
        shutil.rmtree(self.path(reference))

    def holds(self, reference: str) -> bool:
        return self.path(reference).exists()

    @abstractmethod
    def manifest(self, reference: str) -> bytes:
        """Return the manifest of a local image as it came."""


class Skopeo(CopyingClient):
    name = "skopeo"
    refusal = "invalid username/password"

    def __init__(self, registry: Registry, folder: Path, environment: Mapping[str, str]) -> None:
        self._sandbox = Sandbox(folder / "system")
        auth = {"REGISTRY_AUTH_FILE": str(folder / "auth.json")}
        super().__init__(registry, folder, {**environment, **auth})

    def command(self, arguments: Command) -> Command:
        return self.among([self.name, "--insecure-policy", *arguments])

    def among(self, command: Command) -> Command:
        return self._sandbox.command(command)

    def sign_in(self, password: str) -> None:
        name, address = self.registry.username, self.registry.address
        self.call(
            *("login", "--tls-verify=false", "--username", name, "--password-stdin", address),
            stdin=password.encode(),
        )

    def copy(self, source: str, target: str, *options: str) -> Result:
        """Copy between any two transports."""
        insecure = ("--src-tls-verify=false", "--dest-tls-verify=false")
        return self.call("copy", *insecure, *options, source, target)

    def load(self, image: Image, reference: str) -> None:
        image.write_folder(self.path(reference))

    def push_as(self, reference: str, other: str) -> Result:
        return self.copy(f"dir:{self.path(reference)}", f"docker://{other}")

    def pull(self, reference: str, platform: str | None = None) -> Result:
        chosen: list[str | Path] = []
        if platform is not None:
            system, _, architecture = platform.partition("/")
            chosen = [f"--override-os={system}", f"--override-arch={architecture}"]
        options = [*chosen, "copy", "--src-tls-verify=false"]
        return self.call(*options, f"docker://{reference}", f"dir:{self.path(reference)}")

    def config_digest(self, reference: str) -> str:
        folder = self.path(reference)
        found = str(json.loads(self.manifest(reference))["config"]["digest"])
        assert digest_of((folder / found.removeprefix("sha256:")).read_bytes()) == found
        return found

    def manifest(self, reference: str) -> bytes:
        return (self.path(reference) / "manifest.json").read_bytes()


class Crane(CopyingClient):
    name = "crane"
    refusal = "UNAUTHORIZED"

    def __init__(self, registry: Registry, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(registry, folder, {**environment, "DOCKER_CONFIG": str(folder / "config")})

    def sign_in(self, password: str) -> None:
        name, address = self.registry.username, self.registry.address
        self.call(
            *("auth", "login", address, "--username", name, "--password-stdin"),
            stdin=password.encode(),
        )
        if name == Registry.username:
            # The login only writes the password down; using it is what tells.
            self.call("catalog", address)

    def load(self, image: Image, reference: str) -> None:
        image.write_layout(self.path(reference))

    def push_as(self, reference: str, other: str) -> Result:
        return self.call("push", self.path(reference), other)

    def pull(self, reference: str, platform: str | None = None) -> Result:
        chosen = _option("--platform", platform)
        return self.call("pull", "--format=oci", *chosen, reference, self.path(reference))

    def config_digest(self, reference: str) -> str:
        found = str(json.loads(self.manifest(reference))["config"]["digest"])
        assert digest_of(digests_in(self.path(reference))[found]) == found
        return found

    def manifest(self, reference: str) -> bytes:
        layout = self.path(reference)
        (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
        return digests_in(layout)[entry["digest"]]


class Ctr(Client):
    """containerd's own tool: what Kubernetes' nodes do, on the command line."""

    name = "ctr"
    refusal = "401 Unauthorized"
    runs_containers = True

    def __init__(
        self,
        registry: Registry,
        folder: Path,
        environment: Mapping[str, str],
        engine: Engine,
        sandbox: Sandbox,
    ) -> None:
        super().__init__(registry, folder, environment)
        self._socket = engine.containerd_socket
        self._sandbox = sandbox
        self._snapshotter = "overlayfs" if engine.storage_driver == "overlay2" else "native"
        self._containers = 0
        self._platforms: dict[str, str] = {}
        self._password = registry.password

    def command(self, arguments: Command) -> Command:
        # Among containerd's folders, since the two meet in named pipes under /run.
        base: Command = ["ctr", "--address", self._socket, "--namespace", "e2e"]
        return self._sandbox.command([*base, *arguments])

    def _remote(self) -> list[str]:
        return ["--plain-http", "--user", f"{self.registry.username}:{self._password}"]

    def sign_in(self, password: str) -> None:
        self._password = password
        # There is no login, so the first use of the password tells: a manifest that exists.
        reference = f"{self.registry.address}/sign-in/ctr:1"
        self.registry.push_image("sign-in/ctr", "1", Image(layers=[]))
        self.call("content", "fetch-object", *self._remote(), reference, Image([]).digest)

    def load(self, image: Image, reference: str) -> None:
        repository, _, tag = reference.rpartition(":")
        layout = image.write_layout(self.scratch(), tag)
        archive = Path(shutil.make_archive(str(self.scratch()), "tar", layout))
        name = ("--base-name", repository)
        self.call("images", "import", *name, "--snapshotter", self._snapshotter, archive)

    def push(self, reference: str) -> Result:
        return self.push_as(reference, reference)

    def push_as(self, reference: str, other: str) -> Result:
        return self.call("images", "push", *self._remote(), other, reference)

    def pull(self, reference: str, platform: str | None = None) -> Result:
        if platform is not None:
            self._platforms[reference] = platform
        chosen = [*_option("--platform", platform), "--snapshotter", self._snapshotter]
        return self.call("images", "pull", *self._remote(), *chosen, reference)

    def remove(self, reference: str) -> None:
        self.call("images", "rm", "--sync", reference)

    def holds(self, reference: str) -> bool:
        return self._digest(reference) is not None

    def _digest(self, reference: str) -> str | None:
        """Return the digest of what a local name points to."""
        table = self.call("images", "ls", f"name=={reference}").text.splitlines()[1:]
        return table[0].split()[2] if table else None

    def config_digest(self, reference: str) -> str:
        digest = self._digest(reference)
        assert digest is not None, reference
        manifest = self._content(digest)
        if "manifests" in manifest:
            system, _, architecture = self._platforms[reference].partition("/")
            platform = {"os": system, "architecture": architecture}
            (digest,) = (e["digest"] for e in manifest["manifests"] if e["platform"] == platform)
            manifest = self._content(digest)
        return str(manifest["config"]["digest"])

    def _content(self, digest: str) -> Any:
        return json.loads(self.call("content", "get", digest).stdout)

    def run_image(self, reference: str) -> str:
        self._containers += 1
        options = ("--rm", "--snapshotter", self._snapshotter)
        return self.call("run", *options, reference, f"e2e-{self._containers}").text


def _option(name: str, value: str | None) -> list[str]:
    return [] if value is None else [name, value]
