"""`slipway smoke`: whether a registry works, by what a client does with it.

A line a step: health, sign-in, an upload in chunks of unknown length, its commit, a manifest, a
pull that follows the redirect to storage; then what was made is deleted.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import http.client
import json
import os
import re
import secrets
import time
import urllib.parse
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from registry_core.errors import NameInvalid, reason_of
from registry_core.model.names import RepositoryName
from slipway_cli.command import CommandError, Result, Row, Shaped, describe, read_password, say
from slipway_cli.registry.server import TIMEOUT_SECONDS, Answer, Server, is_loopback
from slipway_cli.whoami import claims_of

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_EMPTY = "application/vnd.oci.empty.v1+json"
_KIND = "application/vnd.slipway.smoke"
_SIZE = 1024 * 1024
_PIECE = 64 * 1024
_WAIT_SECONDS = 120
_PAUSE_SECONDS = 2


def register(parser: argparse.ArgumentParser) -> None:
    """Adds what the command takes."""
    describe(
        parser,
        _run,
        "Check that a registry works: health, sign-in, a push in chunks, a pull. Then delete what "
        "was pushed. If a step fails, it says why and exits with 1.",
        "smoke --server registry.example.com --username ci-web --password-stdin < password",
    )
    parser.add_argument(
        "--server",
        "--registry",
        "-r",
        required=True,
        help="the registry, such as registry.example.com or localhost:7071",
    )
    parser.add_argument(
        "--username", "-u", help="the user name (default: SLIPWAY_USERNAME and SLIPWAY_PASSWORD)"
    )
    parser.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )
    parser.add_argument(
        "--repository",
        default="slipway-smoke",
        help="where to push; you need pull, push and delete there (default: %(default)s)",
    )
    parser.add_argument("--health-only", action="store_true", help="check only /healthz")
    parser.add_argument(
        "--wait",
        type=int,
        default=_WAIT_SECONDS,
        metavar="SECONDS",
        help="how long to wait for /healthz; a first start takes time (default: %(default)s)",
    )


async def _run(arguments: argparse.Namespace) -> Result:
    server = Server.parse(arguments.server)
    try:
        repository = str(RepositoryName.parse(arguments.repository))
    except NameInvalid as error:
        raise CommandError(f"--repository: {error}") from error
    credentials = None if arguments.health_only else _credentials(arguments)
    smoke = _Smoke(server, repository)
    await asyncio.to_thread(smoke.run, credentials, arguments.wait)
    if arguments.output == "table":
        return None
    rows: list[Row] = [
        {"step": each.name, "detail": each.detail, "seconds": each.seconds} for each in smoke.steps
    ]
    return Shaped(rows, [{"step": each.name, "seconds": each.seconds} for each in smoke.steps])


def _credentials(arguments: argparse.Namespace) -> tuple[str, str]:
    username = arguments.username or os.environ.get("SLIPWAY_USERNAME", "")
    if not username:
        raise CommandError("no user name: use --username, SLIPWAY_USERNAME, or --health-only")
    if not arguments.password_stdin and (password := os.environ.get("SLIPWAY_PASSWORD")):
        return username, password
    return username, read_password(arguments)


@dataclass(frozen=True)
class _Step:
    """A step that was done: the detail is for people."""

    name: str
    detail: str
    seconds: float


@dataclass
class _Smoke:
    """One run against a server."""

    server: Server
    repository: str
    steps: list[_Step] = field(default_factory=list)
    _authorization: dict[str, str] = field(default_factory=dict)
    _may_delete: bool = False
    _session: str = ""
    """Where the upload goes on."""

    def run(self, credentials: tuple[str, str] | None, wait: int) -> None:
        """Every step, the first with patience. Raises `CommandError` where one fails."""
        self._step("health", lambda: self._health(wait))
        if credentials is None:
            return
        self._step("sign-in", lambda: self._sign_in(*credentials))
        layer, config = secrets.token_bytes(_SIZE), b"{}"
        self._step("upload", lambda: self._upload(layer))
        self._step("commit", lambda: self._commit(layer))
        self._step("config", lambda: self._push_at_once(config))
        manifest = _manifest(config, layer)
        tag = f"smoke-{secrets.token_hex(6)}"
        try:
            self._step("manifest", lambda: self._push(tag, manifest))
            self._step("pull", lambda: self._pull(tag, manifest, layer))
        except CommandError:
            self._cleaned_up(tag, manifest)
            raise
        self._step("delete", lambda: self._delete(tag, manifest))

    def _cleaned_up(self, tag: str, manifest: bytes) -> None:
        """Deletes as far as that works: the reason to tell is the first that failed."""
        try:
            self._delete(tag, manifest)
        except CommandError as error:
            say(f"slipway: {error}")

    def _step(self, name: str, step: Callable[[], str]) -> None:
        """Does a step, and says what came of it. Raises `CommandError`."""
        began = time.monotonic()
        try:
            detail = step()
        except CommandError as error:
            raise CommandError(f"{name} failed: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            raise CommandError(
                f"{name} failed: {self.server.netloc}: {_described(error)}"
            ) from error
        seconds = round(time.monotonic() - began, 1)
        say(f"{name}: {detail} ({seconds} s)")
        self.steps.append(_Step(name, detail, seconds))

    def _health(self, wait: int) -> str:
        until, told = time.monotonic() + wait, False
        while True:
            left = until - time.monotonic()
            try:
                timeout = min(TIMEOUT_SECONDS, max(left, 5))
                answer = self.server.send("GET", "/healthz", timeout=timeout)
            except (OSError, http.client.HTTPException) as error:
                reason = _described(error)
            else:
                if answer.status == 200:
                    return "ok"
                reason = _refusal(answer)
            if time.monotonic() + _PAUSE_SECONDS < until and not told:
                say(f"health: not ok yet; waiting up to {wait} s ({reason})")
                told = True
            if time.monotonic() + _PAUSE_SECONDS > until:
                raise CommandError(f"not ok within {wait} s; the last answer: {reason}")
            time.sleep(_PAUSE_SECONDS)

    def _sign_in(self, username: str, password: str) -> str:
        # At this server and not at the realm of the challenge, which may lead to another region.
        service = self._service()
        basic = b64encode(f"{username}:{password}".encode()).decode()
        query = urllib.parse.urlencode(
            {
                "service": service,
                "scope": f"repository:{self.repository}:pull,push,delete",
            }
        )
        headers = {"Authorization": f"Basic {basic}"}
        answer = self.server.send("GET", f"/oauth2/token?{query}", headers)
        if answer.status == 401:
            raise CommandError("the registry does not know this user name and password")
        _expect(answer, 200)
        try:
            token = json.loads(answer.body)["access_token"]
            granted = claims_of(token).get("access", ())
            actions = {
                a for each in granted if each["name"] == self.repository for a in each["actions"]
            }
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise CommandError("the answer has no token") from error
        if missing := {"pull", "push"} - actions:
            lacks = " and ".join(sorted(missing))
            raise CommandError(f"{username} may not {lacks} in {self.repository}")
        self._authorization = {"Authorization": f"Bearer {token}"}
        self._may_delete = "delete" in actions
        return f"{username} may {', '.join(sorted(actions))} in {self.repository}"

    def _service(self) -> str:
        """By which name the registry challenges who wants to push and has not signed in."""
        answer = self.server.send("POST", f"/v2/{self.repository}/blobs/uploads/")
        _expect(answer, 401)
        challenge = answer.headers.get("www-authenticate", "")
        found = re.search(r'^Bearer .*\bservice="([^"]*)"', challenge, re.IGNORECASE)
        if found is None:
            raise CommandError("it does not ask for a token when nobody is signed in")
        return found[1]

    def _begin(self) -> str:
        """The location of a new upload."""
        answer = self._send("POST", f"/v2/{self.repository}/blobs/uploads/")
        _expect(answer, 202)
        return self._location(answer)

    def _upload(self, content: bytes) -> str:
        pieces = (content[at : at + _PIECE] for at in range(0, len(content), _PIECE))
        answer = self._send("PATCH", self._begin(), body=pieces)
        _expect(answer, 202)
        arrived = answer.headers.get("range", "")
        if arrived != f"0-{len(content) - 1}":
            raise CommandError(
                f"{len(content):,} bytes were sent in chunks, but the registry received {arrived}"
            )
        self._session = self._location(answer)
        return f"{len(content):,} bytes in chunks of unknown length"

    def _commit(self, content: bytes, body: bytes = b"") -> str:
        joint = "&" if "?" in self._session else "?"
        query = urllib.parse.urlencode({"digest": _digest(content)})
        kind = {"Content-Type": "application/octet-stream"}
        _expect(self._send("PUT", f"{self._session}{joint}{query}", kind, body), 201)
        return _digest(content)

    def _push_at_once(self, content: bytes) -> str:
        self._session = self._begin()
        return self._commit(content, content)

    def _push(self, tag: str, manifest: bytes) -> str:
        answer = self._send("PUT", self._manifest_path(tag), {"Content-Type": _MANIFEST}, manifest)
        _expect(answer, 201)
        return f"{self.repository}:{tag}"

    def _pull(self, tag: str, manifest: bytes, layer: bytes) -> str:
        answer = self._send("GET", self._manifest_path(tag), {"Accept": _MANIFEST})
        _expect(answer, 200)
        _compare("manifest", answer.body, manifest)
        answer = self._send("GET", f"/v2/{self.repository}/blobs/{_digest(layer)}")
        how = "streamed by the registry"
        if answer.status == 307:
            # The address is signed: it goes without the token, and into no message.
            target = urllib.parse.urlsplit(answer.headers.get("location", ""))
            if target.scheme == "http" and not is_loopback(target.hostname or ""):
                raise CommandError("the redirect to storage uses plain http")
            how = f"redirected to {target.hostname}"
            answer = Server(target.scheme, target.netloc).send(
                "GET", f"{target.path}?{target.query}"
            )
        _expect(answer, 200)
        _compare("layer", answer.body, layer)
        return f"{len(layer):,} bytes with the right digest, {how}"

    def _delete(self, tag: str, manifest: bytes) -> str:
        left = f"so {self.repository}:{tag} was not deleted"
        if not self._may_delete:
            return f"this user may not delete, {left}"
        answer = self._send("DELETE", self._manifest_path(_digest(manifest)))
        if answer.status == 405:
            return f"deletion is off, {left}"
        if answer.status != 404:
            _expect(answer, 202)
        return f"{self.repository}:{tag}"

    def _send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] | None = None,
    ) -> Answer:
        return self.server.send(method, target, {**self._authorization, **(headers or {})}, body)

    def _manifest_path(self, reference: str) -> str:
        return f"/v2/{self.repository}/manifests/{reference}"

    def _location(self, answer: Answer) -> str:
        """Where an upload goes on, on this server: the token goes to no other."""
        location = answer.headers.get("location", "")
        found = urllib.parse.urlsplit(urllib.parse.urljoin(self._base, location))
        if not location or (found.scheme, found.netloc) != (self.server.scheme, self.server.netloc):
            raise CommandError(f"the upload was sent to another server: {found.netloc}")
        return found.path + (f"?{found.query}" if found.query else "")

    @property
    def _base(self) -> str:
        return f"{self.server.scheme}://{self.server.netloc}"


def _expect(answer: Answer, status: int) -> None:
    if answer.status != status:
        raise CommandError(f"it answered {_refusal(answer)}, expected {status}")


def _refusal(answer: Answer) -> str:
    reason = reason_of(answer.body)
    return f"{answer.status} ({reason})" if reason else str(answer.status)


def _compare(what: str, received: bytes, sent: bytes) -> None:
    if _digest(received) != _digest(sent):
        raise CommandError(f"the pulled {what} has another digest: {_digest(received)}")


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _manifest(config: bytes, layer: bytes) -> bytes:
    """An artefact of one layer (OCI image specification 1.1, guidance for artifacts)."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "artifactType": _KIND,
            "config": {"mediaType": _EMPTY, "digest": _digest(config), "size": len(config)},
            "layers": [{"mediaType": _KIND, "digest": _digest(layer), "size": len(layer)}],
        }
    ).encode()


def _described(error: Exception) -> str:
    """Exceptions of http.client may have no text."""
    return str(error) or type(error).__name__
