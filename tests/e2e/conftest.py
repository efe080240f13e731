"""What the end-to-end tests share: a registry, an engine, and one of each client."""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import pytest

from devhost.cert import CertificateDirectory
from tests.e2e.artefact_clients import Cosign, Helm, Notation, Oras, Regctl
from tests.e2e.artefacts import Subject
from tests.e2e.clients import (
    Buildah,
    Client,
    Crane,
    Ctr,
    Docker,
    DockerInContainerd,
    Podman,
    Skopeo,
)
from tests.e2e.engine import Engine
from tests.e2e.images import EMPTY_LAYER, Image, Layer, incompressible, tar
from tests.e2e.process import client_environment, run
from tests.e2e.registry import ROOT, Registry
from tests.e2e.sandbox import Sandbox
from tests.e2e.tool import Tool
from tests.e2e.world import CACHE_TTL_SECONDS, World
from tests.entra_issuer import EntraIssuer

HERE = Path(__file__).parent
MIB = 1024 * 1024
#: Where setup.sh has Maven keep what it installs.
MAVEN_REPOSITORY = Path.home() / ".m2" / "repository"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pictures",
        type=Path,
        help="keep a picture of each view, in light and dark, in this folder",
    )


def _folder(workspace: Path, name: str) -> Path:
    folder = workspace / name
    folder.mkdir()
    return folder


def built_from(program: Path, module: str) -> str:
    """The version of the module that a program of Go's was built from, as Go noted it there."""
    noted = re.search(rb"mod\t" + re.escape(module.encode()) + rb"\t(v\S+)", program.read_bytes())
    return noted[1].decode() if noted else "unknown"


def _find(program: str, environment: Mapping[str, str]) -> str | None:
    if "/" in program:
        return shutil.which(ROOT / program)
    return shutil.which(program, path=environment["PATH"])


@dataclass
class Inventory:
    """The clients of clients.toml: those that are here, and why others are not."""

    versions: dict[str, str] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    @classmethod
    def take(cls, environment: Mapping[str, str]) -> Inventory:
        """Ask every client for its version."""
        found = cls()
        for name, entry in tomllib.loads((HERE / "clients.toml").read_text()).items():
            if "package" in entry:
                found._take_package(name)
                continue
            if "maven" in entry:
                found._take_plugin(name, MAVEN_REPOSITORY / entry["maven"])
                continue
            program = _find(entry["version"][0], environment)
            if program is not None and "module" in entry:
                found.versions[name] = built_from(Path(program), entry["module"])
            elif program is not None:
                said = run([program, *entry["version"][1:]], env=environment).text
                lines = (
                    line for line in said.splitlines() if line.startswith(entry.get("line", ""))
                )
                found.versions[name] = next(lines)
            elif "unavailable" in entry:
                found.unavailable[name] = entry["unavailable"]
            else:
                found.missing.append(name)
        return found

    def _take_package(self, name: str) -> None:
        try:
            self.versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            self.missing.append(name)

    def _take_plugin(self, name: str, folder: Path) -> None:
        versions = [jar.parent.name for jar in folder.glob("*/*.jar")]
        if versions:
            self.versions[name] = ", ".join(sorted(versions))
        else:
            self.missing.append(name)

    def require(self, *names: str) -> None:
        """Skip the test that needs a client which cannot be had."""
        for name in names:
            if name in self.unavailable:
                pytest.skip(f"{name} is unavailable: {self.unavailable[name]}")

    def report(self) -> Iterator[str]:
        for name, version in self.versions.items():
            yield f"{name:>24}  {version}"
        for name, reason in self.unavailable.items():
            yield f"{name:>24}  unavailable: {reason}"
        for name in self.missing:
            yield f"{name:>24}  MISSING"


@pytest.fixture(scope="session")
def workspace() -> Iterator[Path]:
    """Make the one folder that all of a run is kept in, and remove it at the end.

    Podman and buildah name an image that they read from a layout after its path, and one of
    `tempfile`'s names is in some runs no part of such a name: it may end with an underscore.
    pytest's own folders are kept after a run, which for gigabytes of images is no favour, and have
    names too long for a socket.
    """
    folder = Path(tempfile.gettempdir(), f"e2e-{secrets.token_hex(6)}")
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def scratch(workspace: Path) -> Path:
    """Give the test a folder of its own."""
    return _folder(workspace, f"test-{secrets.token_hex(6)}")


@pytest.fixture(scope="session")
def environment(workspace: Path) -> dict[str, str]:
    """Give the clients, of the caller's environment, no more than where programs are."""
    return client_environment(workspace)


@pytest.fixture(scope="session", autouse=True)
def inventory(request: pytest.FixtureRequest, environment: dict[str, str]) -> Inventory:
    """Show each client with its version, and end the run if one is missing without a reason."""
    found = Inventory.take(environment)
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    reporter.write_line("")
    for line in found.report():
        reporter.write_line(line)
    if found.missing:
        names = ", ".join(found.missing)
        pytest.exit(
            f"missing clients: {names}. Run `bash tests/e2e/setup.sh`, or give the "
            "install error in tests/e2e/clients.toml as `unavailable`.",
            returncode=1,
        )
    return found


@pytest.fixture(scope="session")
def registry(workspace: Path, inventory: Inventory) -> Iterator[Registry]:
    started = Registry(_folder(workspace, "registry"))
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="session")
def world(workspace: Path, environment: dict[str, str], inventory: Inventory) -> Iterator[World]:
    folder = _folder(workspace, "world")
    certificates = CertificateDirectory(folder / "certificates")
    certificates.ensure()
    with EntraIssuer(certificates.path) as issuer:
        registry = Registry(
            folder / "registry",
            certificates=certificates,
            settings={
                "REGISTRY_ENTRA_TENANT_ID": issuer.tenant,
                "REGISTRY_ENTRA_AUTHORITY": issuer.url,
                "REGISTRY_ANONYMOUS_PULL": "public/*",
                "REGISTRY_CACHE_TTL": f"{CACHE_TTL_SECONDS}s",
                # A test pushes thousands of images at once. Deletions are limited as ever.
                "REGISTRY_RATE_LIMIT_WRITE": "0",
                "REGISTRY_RATE_LIMIT_WRITE_TOTAL": "0",
            },
        )
        trusting = {**environment, "SSL_CERT_FILE": str(issuer.ca_file)}
        try:
            yield World(registry, issuer, trusting)
        finally:
            registry.stop()


@pytest.fixture(scope="session")
def engine_sandbox(workspace: Path) -> Sandbox:
    return Sandbox(_folder(workspace, "engine"))


@pytest.fixture(scope="session")
def engine(
    engine_sandbox: Sandbox, environment: dict[str, str], inventory: Inventory
) -> Iterator[Engine]:
    inventory.require("docker", "dockerd", "containerd", "runc")
    started = Engine(engine_sandbox, environment)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="session")
def containerd_sandbox(workspace: Path) -> Sandbox:
    return Sandbox(_folder(workspace, "containerd-engine"))


@pytest.fixture(scope="session")
def containerd_engine(
    containerd_sandbox: Sandbox, environment: dict[str, str], inventory: Inventory
) -> Iterator[Engine]:
    """An engine that keeps images in containerd."""
    inventory.require("docker", "dockerd28", "containerd", "runc")
    features = ("containerd-snapshotter",)
    started = Engine(containerd_sandbox, environment, "dockerd28", features)
    try:
        yield started
    finally:
        started.stop()


class Toolbox:
    """One of each program, signed in to a registry; each made when it is first asked for."""

    def __init__(
        self, request: pytest.FixtureRequest, registry: Registry, folder: Path, inventory: Inventory
    ) -> None:
        self._request = request
        self._registry = registry
        self._folder = folder
        self._inventory = inventory
        self._made: dict[str, Tool] = {}

    def __call__(self, name: str) -> Tool:
        """Give a program by its name."""
        self._inventory.require(name)
        if name not in self._made:
            tool = self._make(name)
            tool.sign_in(self._registry.password)
            self._made[name] = tool
        return self._made[name]

    def client(self, name: str) -> Client:
        """Give a container client by its name."""
        found = self(name)
        assert isinstance(found, Client)
        return found

    def _make(self, name: str) -> Tool:
        environment: dict[str, str] = self._request.getfixturevalue("environment")
        folder = _folder(self._folder, name)
        alone: dict[str, type[Tool]] = {
            program.name: program
            for program in (Skopeo, Crane, Oras, Regctl, Helm, Cosign, Notation)
        }
        if name in alone:
            return alone[name](self._registry, folder, environment)
        if name == "docker-in-containerd":
            newer: Engine = self._request.getfixturevalue("containerd_engine")
            among: Sandbox = self._request.getfixturevalue("containerd_sandbox")
            return DockerInContainerd(self._registry, folder, environment, newer, among)
        engine: Engine = self._request.getfixturevalue("engine")
        if name == "docker":
            return Docker(self._registry, folder, environment, engine)
        if name == "ctr":
            sandbox: Sandbox = self._request.getfixturevalue("engine_sandbox")
            return Ctr(self._registry, folder, environment, engine, sandbox)
        # What works for the engine works for these: the driver is the same one in the kernel.
        driver = "overlay" if engine.storage_driver == "overlay2" else "vfs"
        kinds = {"podman": Podman, "buildah": Buildah}
        return kinds[name](self._registry, folder, environment, driver)


@pytest.fixture(scope="session")
def tools(
    request: pytest.FixtureRequest, workspace: Path, registry: Registry, inventory: Inventory
) -> Callable[[str], Tool]:
    """Give each program by its name, signed in."""
    return Toolbox(request, registry, workspace, inventory)


@pytest.fixture(scope="session")
def clients(tools: Callable[[str], Tool]) -> Callable[[str], Client]:
    """Give each container client by its name, signed in."""

    def get(name: str) -> Client:
        found = tools(name)
        assert isinstance(found, Client)
        return found

    return get


@pytest.fixture
def client(request: pytest.FixtureRequest, clients: Callable[[str], Client]) -> Client:
    """Give the client that the test is parametrised with."""
    return clients(request.param)


@pytest.fixture
def docker(clients: Callable[[str], Client]) -> Docker:
    found = clients("docker")
    assert isinstance(found, Docker)
    return found


@pytest.fixture
def skopeo(clients: Callable[[str], Client]) -> Skopeo:
    found = clients("skopeo")
    assert isinstance(found, Skopeo)
    return found


@pytest.fixture
def crane(clients: Callable[[str], Client]) -> Crane:
    found = clients("crane")
    assert isinstance(found, Crane)
    return found


@pytest.fixture(scope="session")
def oras(tools: Callable[[str], Tool]) -> Oras:
    found = tools("oras")
    assert isinstance(found, Oras)
    return found


@pytest.fixture(scope="session")
def regctl(tools: Callable[[str], Tool]) -> Regctl:
    found = tools("regctl")
    assert isinstance(found, Regctl)
    return found


@pytest.fixture(scope="session")
def helm(tools: Callable[[str], Tool]) -> Helm:
    found = tools("helm")
    assert isinstance(found, Helm)
    return found


@pytest.fixture(scope="session")
def cosign(tools: Callable[[str], Tool]) -> Cosign:
    found = tools("cosign")
    assert isinstance(found, Cosign)
    return found


@pytest.fixture(scope="session")
def notation(tools: Callable[[str], Tool]) -> Notation:
    found = tools("notation")
    assert isinstance(found, Notation)
    return found


@pytest.fixture(scope="session")
def program(workspace: Path, environment: dict[str, str]) -> bytes:
    """Build the one program that the test images have: it prints files."""
    binary = workspace / "cat"
    source = HERE / "payload" / "cat.c"
    run(["gcc", "-static", "-Os", "-s", "-o", binary, source], env=environment)
    return binary.read_bytes()


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """Name a repository of the test's own, three levels deep."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"e2e/{request.path.stem.removeprefix('test_').replace('_', '-')}/{name}"


@pytest.fixture
def greeting(repository: str) -> str:
    """Give the test's image something to print when it runs."""
    return f"hello from {repository}"


@pytest.fixture
def image(program: bytes, greeting: str) -> Image:
    """Make an image of this test's own: a program, a layer that is empty, and one of data."""
    data = {
        "etc/greeting": f"{greeting}\n".encode(),
        "data": incompressible(MIB, greeting),
    }
    own_program = tar({"bin/cat": program, "etc/of": greeting.encode()})
    return Image([Layer(own_program), Layer(EMPTY_LAYER), Layer(tar(data))])


@pytest.fixture
def developer(world: World, repository: str, scratch: Path) -> Crane:
    """Sign somebody in where docker keeps credentials, by a token for all below `repository`."""
    name, password = world.token((f"{repository}/*", "content/read", "content/write"))
    signed_in = Crane(world.registry.as_user(name), scratch, world.environment)
    signed_in.sign_in(password)
    return signed_in


@pytest.fixture
def subject(registry: Registry, repository: str) -> Subject:
    """Give a small image of this test's own that is in the registry, for artefacts to refer to."""
    image = Image([Layer(tar({"data": incompressible(1000, repository)}))])
    registry.push_image(repository, "1", image)
    return Subject(registry, repository, image)
