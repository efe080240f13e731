"""Every kind of credential with every kind of client, over TLS: what it may do works, and no more.

The registry runs beside an issuer of Entra ID's kind, and is managed by its command line.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.e2e.artefact_clients import Helm, Oras
from tests.e2e.clients import Client, Crane, Docker, Podman, Skopeo
from tests.e2e.engine import Engine
from tests.e2e.images import Image, digest_of
from tests.e2e.process import CommandError, run
from tests.e2e.registry import ROOT
from tests.e2e.world import World

NULL_GUID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Credential:
    """A user name and password, and what they are good for."""

    username: str
    password: str
    may_push: bool


Make = Callable[[World, str], Credential]


def _admin(world: World, _: str) -> Credential:
    return Credential(world.registry.username, world.registry.password, may_push=True)


def _token(world: World, own: str) -> Credential:
    return Credential(*world.token((f"{own}/*", "content/read", "content/write")), may_push=True)


def _service_principal(world: World, own: str) -> Credential:
    app_id, secret = str(uuid.uuid4()), f"secret-{uuid.uuid4()}"
    claims = world.issuer.claims(world.assign("AcrPush", f"{own}/*"), appid=app_id)
    world.issuer.secrets[app_id, secret] = claims
    return Credential(app_id, secret, may_push=True)


def _user(world: World, own: str) -> Credential:
    """Somebody who may pull, by a group that they are in."""
    group = world.assign("AcrPull", f"{own}/*")
    token = world.issuer.token(groups=[group], upn="jo@example.com")
    return Credential(NULL_GUID, world.exchange(token), may_push=False)


CREDENTIALS: dict[str, Make] = {
    "admin": _admin,
    "token": _token,
    "service principal": _service_principal,
    "user of Entra ID": _user,
}


def _client(
    name: str, world: World, credential: Credential, folder: Path, request: pytest.FixtureRequest
) -> Client:
    """A client that nobody has signed in with yet."""
    registry = world.registry.as_user(credential.username)
    if name == "skopeo":
        return Skopeo(registry, folder, world.environment)
    if name == "crane":
        return Crane(registry, folder, world.environment)
    engine: Engine = request.getfixturevalue("engine")
    if name == "docker":
        return Docker(registry, folder, world.environment, engine)
    driver = "overlay" if engine.storage_driver == "overlay2" else "vfs"
    return Podman(registry, folder, world.environment, driver)


@pytest.mark.parametrize("kind", CREDENTIALS)
@pytest.mark.parametrize("name", ["docker", "podman", "skopeo", "crane"])
def test_an_image_goes_where_the_credential_allows_and_nowhere_else(
    world: World,
    request: pytest.FixtureRequest,
    image: Image,
    repository: str,
    scratch: Path,
    name: str,
    kind: str,
) -> None:
    own, foreign = repository, f"foreign/{repository}"
    world.registry.push_image(f"{own}/there", "1", image)
    world.registry.push_image(f"{foreign}/there", "1", image)
    credential = CREDENTIALS[kind](world, own)
    client = _client(name, world, credential, scratch, request)
    client.sign_in(credential.password)
    address = world.registry.address

    client.pull(f"{address}/{own}/there:1")
    client.remove(f"{address}/{own}/there:1")

    local = f"{address}/{own}/new:1"
    client.load(image, local)
    if credential.may_push:
        client.push(local)
        assert world.registry.has_manifest(f"{own}/new", "1")
    else:
        with pytest.raises(CommandError):
            client.push(local)
        assert not world.registry.has_manifest(f"{own}/new", "1")
    if kind != "admin":
        with pytest.raises(CommandError):
            client.push_as(local, f"{address}/{foreign}/new:1")
        assert not world.registry.has_manifest(f"{foreign}/new", "1")
        with pytest.raises(CommandError):
            client.pull(f"{address}/{foreign}/there:1")


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_files_go_where_the_credential_allows(
    world: World, repository: str, scratch: Path, kind: str
) -> None:
    credential = CREDENTIALS[kind](world, repository)
    oras = Oras(world.registry.as_user(credential.username), scratch, world.environment)
    oras.sign_in(credential.password)
    (scratch / "file").write_text("content")
    address = world.registry.address
    push = ("push", f"{address}/{repository}/files:1", "file:text/plain")
    if credential.may_push:
        oras.remote(*push, cwd=scratch)
        (scratch / "file").unlink()
        oras.remote("pull", f"{address}/{repository}/files:1", cwd=scratch)
        assert (scratch / "file").read_text() == "content"
    else:
        with pytest.raises(CommandError):
            oras.remote(*push, cwd=scratch)


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_a_chart_goes_where_the_credential_allows(
    world: World, repository: str, scratch: Path, kind: str
) -> None:
    own = f"oci://{world.registry.address}/{repository}"
    folders = [scratch / name for name in ("admin", "other")]
    for folder in folders:
        folder.mkdir()
    admin = Helm(world.registry, folders[0], world.environment)
    admin.sign_in(world.registry.password)
    admin.call("create", "web", cwd=scratch)
    for version in ("1.2.3", "1.2.4"):
        admin.call("package", "web", "--version", version, cwd=scratch)
    admin.remote("push", "web-1.2.3.tgz", own, cwd=scratch)

    credential = CREDENTIALS[kind](world, repository)
    helm = Helm(world.registry.as_user(credential.username), folders[1], world.environment)
    helm.sign_in(credential.password)
    helm.remote("pull", f"{own}/web", "--version", "1.2.3", cwd=folders[1])
    assert (folders[1] / "web-1.2.3.tgz").read_bytes() == (scratch / "web-1.2.3.tgz").read_bytes()
    if credential.may_push:
        helm.remote("push", "web-1.2.4.tgz", own, cwd=scratch)
    else:
        with pytest.raises(CommandError):
            helm.remote("push", "web-1.2.4.tgz", own, cwd=scratch)
    if kind != "admin":
        elsewhere = f"oci://{world.registry.address}/foreign/{repository}"
        with pytest.raises(CommandError):
            helm.remote("push", "web-1.2.4.tgz", elsewhere, cwd=scratch)


@pytest.mark.parametrize("name", ["docker", "podman", "skopeo", "crane"])
def test_what_is_open_is_pulled_without_signing_in_and_nothing_else_is(
    world: World,
    request: pytest.FixtureRequest,
    image: Image,
    repository: str,
    scratch: Path,
    name: str,
) -> None:
    public, private = f"public/{repository}", f"private/{repository}"
    for each in (public, private):
        world.registry.push_image(each, "1", image)
    # podman and skopeo want the file that they were told to keep credentials in.
    (scratch / "auth.json").write_text("{}")
    nobody = Credential("", "", may_push=False)
    client = _client(name, world, nobody, scratch, request)
    client.pull(f"{world.registry.address}/{public}:1")
    with pytest.raises(CommandError):
        client.pull(f"{world.registry.address}/{private}:1")


def test_a_blob_is_mounted_with_a_token_of_two_scopes(
    world: World, image: Image, repository: str, scratch: Path
) -> None:
    """Crane asks for the source's scope too, and sends no layer a second time."""
    username, password = world.token((f"{repository}/*", "content/read", "content/write"))
    crane = Crane(world.registry.as_user(username), scratch, world.environment)
    crane.sign_in(password)
    address = world.registry.address
    crane.load(image, f"{address}/{repository}/one:1")
    crane.push(f"{address}/{repository}/one:1")
    position = world.registry.log_position()
    crane.call("copy", f"{address}/{repository}/one:1", f"{address}/{repository}/two:1")
    traffic = world.registry.traffic_since(position, f"{repository}/two")
    assert traffic.mounted > 0
    assert traffic.uploaded == 0


def test_a_token_that_is_disabled_during_a_push_stops_it_within_the_caches_life(
    world: World, repository: str
) -> None:
    username, password = world.token((repository, "content/read", "content/write"))
    scope = f"repository:{repository}:pull,push"
    query = urlencode({"service": world.registry.address, "scope": scope})
    guest = world.registry.as_user(username)
    guest.password = password
    bearer = f"Bearer {guest.request('GET', f'/oauth2/token?{query}').json()['access_token']}"
    answer = world.ask("POST", f"/v2/{repository}/blobs/uploads/", b"", Authorization=bearer)
    assert answer.status == 202
    chunks = 0
    world.slipway("token", "update", "--name", username, "--status", "disabled")
    while answer.status == 202:  # Ends with the cache's life, or with the test's.
        location = answer.headers["location"]
        answer = world.ask("PATCH", location, b"x", Authorization=bearer)
        chunks += 1
        assert chunks < 10_000
    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert guest.request("GET", f"/oauth2/token?{query}").status == 401


def test_whoami_tells_who_one_is(world: World, repository: str) -> None:
    username, password = world.token((repository, "content/read"))
    command: list[str | Path] = [
        *(ROOT / "slipway", "whoami", "--server", f"https://{world.registry.address}"),
        *("-u", username, "--password-stdin", "--scope", f"repository:{repository}:pull,push"),
        *("-o", "json"),
    ]
    said = run(command, env=world.environment, stdin=f"{password}\n".encode())
    found = json.loads(said.stdout)
    assert (found["name"], found["kind"]) == (username, "token")
    assert found["access"] == [f"repository:{repository}:pull"]


def test_a_push_longer_than_its_tokens_life_goes_on(world: World, repository: str) -> None:
    """Each request may have another token: the session is the registry's, not the token's."""
    credential = _token(world, repository)
    guest = world.registry.as_user(credential.username)
    guest.password = credential.password
    name, content = f"{repository}/app", b"long " + repository.encode()
    query = urlencode({"scope": f"repository:{name}:pull,push"})

    def bearer() -> str:
        return f"Bearer {guest.request('GET', f'/oauth2/token?{query}').json()['access_token']}"

    answer = world.ask("POST", f"/v2/{name}/blobs/uploads/", b"", Authorization=bearer())
    location = answer.headers["location"]
    for start in range(0, len(content), 10):
        expired = f"{bearer()[:-4]}AAAA"
        chunk = content[start : start + 10]
        assert world.ask("PATCH", location, chunk, Authorization=expired).status == 401
        answer = world.ask("PATCH", location, chunk, Authorization=bearer())
        assert answer.status == 202
        location = answer.headers["location"]
    digest = digest_of(content)
    answer = world.ask("PUT", f"{location}&digest={digest}", b"", Authorization=bearer())
    assert answer.status == 201
    assert world.registry.blob(name, digest) == content
