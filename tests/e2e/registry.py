"""The registry under test: started as a developer starts it, watched through its request log."""

from __future__ import annotations

import copy
import http.client
import json
import os
import re
import secrets
import ssl
import sys
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from devhost.cert import CertificateDirectory
from devhost.processes.azurite import Azurite
from registry_core.model.passwords import random_password
from tests.e2e.images import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    digest_of,
)
from tests.e2e.process import Daemon

ROOT = Path(__file__).parents[2]
START_TIMEOUT = 90.0
REQUEST_TIMEOUT = 60.0
ACCEPT = f"{OCI_INDEX}, {OCI_MANIFEST}, {DOCKER_INDEX}, {DOCKER_MANIFEST}"
LOG_LINE = re.compile(r'\{"Category":".*\}')
#: As this version writes it, or one before.
OPEN_LINE = re.compile(r'"(?:Category": "Opening|kind": "open)", "[vV]ersion": "([^"]+)"')
READY = "devhost ready "


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.status} {dict(self.headers)} {self.body[:1000]!r}"


@dataclass(frozen=True)
class Manifest:
    """A manifest as the registry serves it."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return digest_of(self.content)

    def json(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True)
class LoggedRequest:
    """One line of the request log."""

    method: str
    kind: str
    repository: str
    status: int
    bytes_in: int

    @classmethod
    def parse(cls, line: str) -> LoggedRequest | None:
        """The request that a line of the registry's output tells of, if it tells of one."""
        found = LOG_LINE.search(line)
        if found is None:
            return None
        entry = json.loads(found[0])
        if "Method" not in entry:
            return None
        status, bytes_in = int(entry["ResultDescription"]), entry.get("BytesIn", 0)
        return cls(entry["Method"], entry["Kind"], entry.get("Repository", ""), status, bytes_in)

    @property
    def is_mount(self) -> bool:
        """Whether this request linked a blob that another repository has."""
        return (self.method, self.kind, self.status) == ("POST", "upload", 201)

    @property
    def brings_bytes(self) -> bool:
        """Whether this request carried a blob, or a part of one."""
        return self.method == "PATCH"

    @property
    def ends_upload(self) -> bool:
        return (self.method, self.kind) == ("PUT", "upload-session")


@dataclass(frozen=True)
class Traffic:
    """What clients asked of one repository."""

    requests: list[LoggedRequest]

    @property
    def mounted(self) -> int:
        """The number of blobs that were linked from another repository."""
        return sum(request.is_mount for request in self.requests)

    @property
    def uploaded(self) -> int:
        """The number of blobs of which at least a part was sent."""
        parts = sum(request.brings_bytes for request in self.requests)
        return max(parts, sum(request.ends_upload for request in self.requests))

    @property
    def bytes_sent(self) -> int:
        """How many bytes of blobs and manifests came in."""
        return sum(request.bytes_in for request in self.requests)


class Registry:
    """A registry of its own: a free port, an empty storage account, a new admin password."""

    username = "admin"

    def __init__(
        self,
        data: Path,
        *,
        app_dir: Path = ROOT,
        storage: str = "",
        password: str = "",
        settings: Mapping[str, str] | None = None,
        certificates: CertificateDirectory | None = None,
    ) -> None:
        """Start it; with a `storage` (a connection string) of somebody else's, on that.

        With `certificates` it speaks TLS, and so does its storage.
        """
        self._app_dir = app_dir
        self.certificates = certificates
        self._settings = dict(settings or {})
        self.password = password or random_password()
        self._data = data
        self._port = 0
        # Not left to the development host, so that storage can outlive a crash of the registry.
        self._azurite = None if storage else _start_storage(data / "storage", certificates)
        self.storage = self._azurite.connection_string if self._azurite else storage
        try:
            self._daemon = self._start()
        except BaseException:
            self._stop_storage()
            raise

    @property
    def address(self) -> str:
        """The login server: what comes before the repository in an image's name.

        By the name that README.md tells people to use.
        """
        return f"localhost:{self._port}"

    @property
    def scheme(self) -> str:
        return "https" if self.certificates else "http"

    def as_user(self, username: str) -> Self:
        """The same registry, to those who sign in as another user."""
        other = copy.copy(self)
        other.username = username
        return other

    def behind(self, port: int, username: str, password: str) -> Self:
        """The same registry, by what hands on to it on this machine, with a sign-in of its own."""
        other = self.as_user(username)
        other.password, other._port = password, port
        return other

    def crash(self) -> None:
        """End the registry as it runs, without a chance to finish anything, and start another."""
        self._daemon.kill()
        self._daemon = self._start()

    def revive(self) -> None:
        """Start another, where the registry is known to have been killed."""
        self.crash()

    def stop(self) -> None:
        try:
            self._daemon.stop()
        finally:
            self._stop_storage()

    def _stop_storage(self) -> None:
        if self._azurite:
            self._azurite.stop()

    def _start(self) -> Daemon:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("REGISTRY_")},
            "PORT": str(self._port),
            "DATA_DIR": str(self._data),
            "RegistryStorage": self.storage,
            "REGISTRY_ADMIN_USER_ENABLED": "true",
            "REGISTRY_ADMIN_USERNAME": self.username,
            "REGISTRY_ADMIN_PASSWORD": self.password,
            **self._settings,
        }
        if self.certificates:
            environment["TLS_CERT"] = str(self.certificates.certificate)
            environment["TLS_KEY"] = str(self.certificates.key)
        command = [sys.executable, "-m", "devhost", "--app-dir", str(self._app_dir)]
        daemon = Daemon(command, env=environment, cwd=ROOT)
        try:
            line = daemon.wait_for(READY, START_TIMEOUT)
        except BaseException:
            daemon.stop()
            raise
        self._port = int(line.rpartition(":")[2])
        return daemon

    def version(self) -> str:
        """Return the version that it tells of itself first of all."""
        self._catch_up()
        found = next(filter(None, map(OPEN_LINE.search, self._daemon.lines())))
        return found[1]

    # What the registry holds, asked directly.

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request as the admin user; leave redirects to the caller."""
        credentials = b64encode(f"{self.username}:{self.password}".encode()).decode()
        return send(
            f"{self.scheme}://{self.address}{path}",
            method,
            body,
            {"Authorization": f"Basic {credentials}", **(headers or {})},
            self.certificates.authority if self.certificates else None,
        )

    def manifest(self, repository: str, reference: str) -> Manifest:
        answer = self.request(
            "GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": ACCEPT}
        )
        assert answer.status == 200, answer
        manifest = Manifest(answer.body, answer.headers["content-type"])
        assert answer.headers["docker-content-digest"] == manifest.digest, answer
        return manifest

    def has_manifest(self, repository: str, reference: str) -> bool:
        answer = self.request(
            "HEAD", f"/v2/{repository}/manifests/{reference}", headers={"Accept": ACCEPT}
        )
        assert answer.status in (200, 404), answer
        return answer.status == 200

    def blob(self, repository: str, digest: str) -> bytes:
        """Return the bytes of a blob, from wherever the registry sends its clients for them."""
        answer = self.request("GET", f"/v2/{repository}/blobs/{digest}")
        if answer.status == 307:
            trusted = self.certificates.authority if self.certificates else None
            answer = send(answer.headers["location"], trusted=trusted)
        assert answer.status == 200, answer
        assert digest_of(answer.body) == digest
        return answer.body

    def has_blob(self, repository: str, digest: str) -> bool:
        answer = self.request("HEAD", f"/v2/{repository}/blobs/{digest}")
        assert answer.status in (200, 404), answer
        return answer.status == 200

    def push_blob(self, repository: str, content: bytes) -> None:
        """Push a blob the simplest way there is: one POST, one PUT."""
        opened = self.request("POST", f"/v2/{repository}/blobs/uploads/")
        assert opened.status == 202, opened
        self.commit(opened.headers["location"], content, body=content)

    def commit(
        self, location: str, content: bytes, body: bytes = b"", headers: Mapping[str, str] = {}
    ) -> None:
        """End an upload session, with `body` the last of `content`."""
        found = urlsplit(location)
        query = f"{found.query}&" if found.query else ""
        answer = self.request(
            "PUT",
            f"{found.path}?{query}digest={digest_of(content)}",
            body,
            {"Content-Type": "application/octet-stream", **headers},
        )
        assert answer.status == 201, answer

    def push_manifest(
        self, repository: str, reference: str, content: bytes, media_type: str
    ) -> None:
        answer = self.request(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            content,
            {"Content-Type": media_type},
        )
        assert answer.status == 201, answer

    def push_image(self, repository: str, tag: str, image: Image) -> None:
        """Push an image with as few requests as there can be, and no client in between."""
        for content in image.blobs():
            self.push_blob(repository, content)
        self.push_manifest(repository, tag, image.manifest, image.media_type)

    # What clients asked of it.

    def log_position(self) -> int:
        """Mark the present end of the request log."""
        self._catch_up()
        return len(self._daemon.lines())

    def traffic_since(self, position: int, repository: str) -> Traffic:
        """Return every request to a repository answered since `position`."""
        self._catch_up()
        requests = map(LoggedRequest.parse, self._daemon.lines(position))
        return Traffic([r for r in requests if r and r.repository == repository])

    def audit_since(self, position: int, operation: str) -> list[dict[str, Any]]:
        """Return the audit records of an operation, of all that was answered since `position`."""
        lines = self.lines_since(position)
        return [line for line in lines if line.get("OperationName") == operation]

    def lines_since(self, position: int) -> list[dict[str, Any]]:
        """Return each line that was logged of a request, of all that was answered since then."""
        self._catch_up()
        found = map(LOG_LINE.search, self._daemon.lines(position))
        return [json.loads(line[0]) for line in found if line]

    def _catch_up(self) -> None:
        """Wait until the log has all that was answered before this call.

        A line is written after its answer, so the last one may still be on its way: a request that
        nobody else makes follows, and its line tells that the others are there.
        """
        marker = f"log-marker-{secrets.token_hex(8)}"
        self.request("GET", f"/v2/{marker}/tags/list")
        self._daemon.wait_for(marker, REQUEST_TIMEOUT)


def _start_storage(location: Path, certificates: CertificateDirectory | None) -> Azurite:
    if certificates is None:
        return Azurite(location)
    return Azurite(location, certificate=certificates.certificate, key=certificates.key)


def send(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    trusted: Path | None = None,
) -> Answer:
    """Send one HTTP request; with TLS to whom the authority in the file `trusted` vouches for."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=trusted)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.netloc, timeout=REQUEST_TIMEOUT, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=REQUEST_TIMEOUT)
    try:
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())
    finally:
        connection.close()
