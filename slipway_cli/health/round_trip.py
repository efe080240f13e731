"""What a client does with a registry: it signs in, pushes, pulls by way of storage, and deletes.

Where the rights of the user are less, it pulls what is there.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator, Mapping

from slipway_cli.command import CommandError, NotSignedIn
from slipway_cli.health import redirect
from slipway_cli.health.checks import Failed, Passed, Skipped
from slipway_cli.health.exchange import expect, send
from slipway_cli.registry.client import Client, Refused, repository_scope
from slipway_cli.registry.credential_files import Found
from slipway_cli.registry.credentials import SignIn
from slipway_cli.registry.server import TIMEOUT_SECONDS, Answer, Server
from slipway_cli.whoami import claims_of

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_ANY = ", ".join((_MANIFEST, "application/vnd.docker.distribution.manifest.v2+json", *_INDEXES))
_EMPTY = "application/vnd.oci.empty.v1+json"
_KIND = "application/vnd.slipway.check-health"
_SIZE = 4096
_PIECE = 1024
_NOTHING_TO_PULL = "name a repository that has an image with --repository"


class RoundTrip:
    """One client in one repository; its checks follow one another."""

    def __init__(self, server: Server, repository: str, *, pull_only: bool) -> None:
        self._server = server
        self._repository = repository
        self._pull_only = pull_only
        self._who = "nobody"
        self._notes: list[str] = []
        """What the client says while it signs in."""
        self._actions: frozenset[str] = frozenset()
        self._authorization: dict[str, str] = {}
        self._layer = secrets.token_bytes(_SIZE)
        self._manifest = _manifest(b"{}", self._layer)
        self._may_be_there = False
        """Whether the manifest may have arrived."""
        self._blob = ""
        """The digest of what is pulled."""
        self._redirect: str | None = None
        """Where storage has it: a signed address, which goes into no message."""

    async def sign_in(self, find: Callable[[], Awaitable[SignIn]]) -> Passed:
        """Asks for a token as whoever is found, and looks at what it allows."""
        service, realm = await asyncio.to_thread(self._challenge)
        async with Client(self._server, await find(), self._notes.append) as client:
            token = await self._token(client)
            found = client.sign_in.found
        if found:
            self._who = _name_of(found)
        elif not self._pull_only:
            notes = "".join(f"; {note}" for note in client.sign_in.notes)
            raise Skipped(
                "no-credentials",
                f"no user name and password were found for {self._server.netloc}: use --username, "
                f"or docker login{notes}",
            )
        self._take(token)
        allowed = ", ".join(sorted(self._actions)) or "do nothing"
        elsewhere = "" if realm == self._server.netloc else f"; clients sign in at {realm}"
        return Passed(
            f"{_told(found)} may {allowed} in {self._repository}{elsewhere}",
            {
                "username": found.credential.username or None if found else None,
                "source": found.source if found else None,
                "repository": self._repository,
                "actions": sorted(self._actions),
                "service": service,
                "realm": realm,
            },
        )

    async def _token(self, client: Client) -> str:
        actions = ("pull",) if self._pull_only else ("pull", "push", "delete")
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await client.token(repository_scope(self._repository, *actions))
        except TimeoutError as error:
            raise Failed(
                "busy" if self._notes else "no-answer",
                self._notes[-1] if self._notes else "the request for a token was not answered",
                "try again; if it lasts, docs/runbook.md says what each answer means",
            ) from error
        except Refused as error:
            expect(error.answer, 200, "the request for a token")
            raise
        except NotSignedIn as error:
            raise Failed(
                "wrong-password",
                f"the registry does not know {_told(client.sign_in.found)}",
                "check the user name and the password. That of a token may have expired or been "
                "replaced, and the token been disabled: slipway token show",
            ) from error
        except CommandError as error:
            raise Failed("no-answer", str(error), "try again") from error

    def _challenge(self) -> tuple[str, str]:
        """The service that asks for a token, and the server that has it."""
        answer = send(self._server, "POST", f"/v2/{self._repository}/blobs/uploads/")
        expect(answer, 401, "a push without sign-in")
        challenge = answer.headers.get("www-authenticate", "")
        service = re.search(r'^Bearer .*\bservice="([^"]*)"', challenge, re.IGNORECASE)
        realm = re.search(r'\brealm="([^"]*)"', challenge, re.IGNORECASE)
        if not service or not realm:
            raise Failed(
                "no-challenge",
                "it does not ask for a token where nobody is signed in",
                "check the address, and that nothing on the way takes WWW-Authenticate out",
            )
        return service[1], urllib.parse.urlsplit(realm[1]).netloc

    def _take(self, token: str) -> None:
        """Keeps a token; one without any is that of who has not signed in."""
        if not token:
            return
        try:
            granted = claims_of(token).get("access", ())
            self._actions = frozenset(
                action
                for each in granted
                if each["name"] == self._repository
                for action in each["actions"]
            )
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise Failed(
                "no-token",
                "its answer has no token that can be read",
                "check the address: another kind of registry may answer there",
            ) from error
        self._authorization = {"Authorization": f"Bearer {token}"}

    def push(self) -> Passed:
        """Pushes an artefact of a few bytes: one blob in chunks of unknown length, one at once."""
        if self._pull_only:
            raise Skipped("pull-only", "not asked for: --pull-only", goes_on=True)
        if missing := {"pull", "push"} - self._actions:
            lacks = " and ".join(sorted(missing))
            raise Failed(
                f"may-not-{'-'.join(sorted(missing))}",
                f"{self._who} may not {lacks} in {self._repository}",
                f"give {self._who} content/read and content/write there, or name another "
                "repository with --repository. If only pulls are needed, use --pull-only",
            )
        self._upload(self._layer)
        session = self._begin()
        self._commit(session, b"{}", b"{}")
        self._may_be_there = True
        sent = {"Content-Type": _MANIFEST}
        answer = self._send(
            "PUT", self._manifest_path(_digest(self._manifest)), sent, self._manifest
        )
        expect(answer, 201, "the manifest")
        return Passed(
            f"{_SIZE:,} bytes and a manifest, {self._name}", {"digest": _digest(self._manifest)}
        )

    def _upload(self, content: bytes) -> None:
        pieces = (content[at : at + _PIECE] for at in range(0, len(content), _PIECE))
        answer = self._send("PATCH", self._begin(), body=pieces)
        expect(answer, 202, "an upload in chunks")
        arrived = answer.headers.get("range", "")
        if arrived != f"0-{len(content) - 1}":
            raise Failed(
                "lost-bytes",
                f"{len(content):,} bytes were sent in chunks, and the registry received {arrived}",
                "deploy the package as docs/deploy.md says: without the extension for streams, "
                "chunks arrive empty. A proxy on the way may do the same",
            )
        self._commit(self._location(answer), content)

    def _begin(self) -> str:
        """Where a new upload goes on."""
        answer = self._send("POST", f"/v2/{self._repository}/blobs/uploads/")
        expect(answer, 202, "an upload")
        return self._location(answer)

    def _commit(self, session: str, content: bytes, body: bytes = b"") -> None:
        query = urllib.parse.urlencode({"digest": _digest(content)})
        joint = "&" if "?" in session else "?"
        kind = {"Content-Type": "application/octet-stream"}
        expect(self._send("PUT", f"{session}{joint}{query}", kind, body), 201, "a blob")

    def pull(self) -> Passed:
        """Pulls the manifest, and asks where its layer is."""
        if self._pull_only:
            self._find_something()
        else:
            digest = _digest(self._manifest)
            _compare("manifest", self._read_manifest(digest), digest)
            self._blob = _digest(self._layer)
        answer = self._send("GET", f"/v2/{self._repository}/blobs/{self._blob}")
        if answer.status == 307:
            self._redirect = answer.headers.get("location", "")
            return Passed(f"{self._name}; its layer is in storage", {"streamed": False})
        expect(answer, 200, "a layer")
        _compare("layer", answer.body, self._blob)
        return Passed(f"{self._name} with its layer", {"streamed": True})

    def _find_something(self) -> None:
        """The smallest blob of the first tag there is."""
        if "pull" not in self._actions:
            raise Failed(
                "may-not-pull",
                f"{self._who} may not pull from {self._repository}",
                f"give {self._who} content/read there, or {_NOTHING_TO_PULL}",
            )
        answer = self._send("GET", f"/v2/{self._repository}/tags/list?n=1")
        if answer.status != 404:
            expect(answer, 200, "the list of tags")
        tags = _tags(answer)
        if not tags:
            raise Failed(
                "nothing-to-pull",
                f"{self._repository} has no tag",
                f"{_NOTHING_TO_PULL}, or leave out --pull-only to push something",
            )
        try:
            document = json.loads(self._read_manifest(str(tags[0])))
            if children := document.get("manifests"):
                document = json.loads(self._read_manifest(children[0]["digest"]))
            blobs = [document["config"], *document["layers"]]
            self._blob = min(blobs, key=lambda blob: blob["size"])["digest"]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise Failed(
                "nothing-to-pull",
                f"{self._repository}:{tags[0]} is no image",
                _NOTHING_TO_PULL,
            ) from error

    def _read_manifest(self, reference: str) -> bytes:
        answer = self._send("GET", self._manifest_path(reference), {"Accept": _ANY})
        expect(answer, 200, "a manifest")
        return answer.body

    def layer(self) -> Passed:
        """Follows the redirect to storage, which a firewall may know nothing of."""
        if self._redirect is None:
            raise Skipped("streamed", "the registry streams layers itself", goes_on=True)
        host, layer = redirect.fetch(self._redirect)
        _compare("layer", layer, self._blob)
        return Passed(f"{len(layer):,} bytes from {host}, with the right digest", {"host": host})

    def delete(self) -> Passed:
        """Deletes what was pushed."""
        if not self._may_be_there:
            raise Skipped("nothing-pushed", "nothing was pushed", goes_on=True)
        if "delete" not in self._actions:
            raise Skipped(
                "may-not-delete", f"{self._who} may not delete, so {self._name} stays", goes_on=True
            )
        answer = self._send("DELETE", self._manifest_path(_digest(self._manifest)))
        if answer.status == 405:
            raise Skipped(
                "deletion-off", f"the registry deletes nothing there, so {self._name} stays"
            )
        if answer.status != 404:
            expect(answer, 202, "the deletion")
        return Passed(self._name)

    @property
    def _name(self) -> str:
        if self._pull_only:
            return self._repository
        return f"{self._repository}@{_digest(self._manifest)[:19]}"

    def _send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] | None = None,
    ) -> Answer:
        sent = {**self._authorization, **(headers or {})}
        return send(self._server, method, target, sent, body)

    def _manifest_path(self, reference: str) -> str:
        return f"/v2/{self._repository}/manifests/{reference}"

    def _location(self, answer: Answer) -> str:
        """Where an upload goes on, on this server: the token goes to no other."""
        location = answer.headers.get("location", "")
        found = urllib.parse.urlsplit(urllib.parse.urljoin(self._server.url, location))
        if not location or f"{found.scheme}://{found.netloc}" != self._server.url:
            raise Failed(
                "other-server",
                f"the upload was sent to another server: {found.netloc}",
                "check proxies on the way: they have to hand on the name in Host as it is",
            )
        return found.path + (f"?{found.query}" if found.query else "")


def _name_of(found: Found) -> str:
    return found.credential.username or "the owner of the refresh token"


def _told(found: Found | None) -> str:
    """Who signs in, and where that was found."""
    return f"{_name_of(found)} (found by {found.source})" if found else "nobody"


def _compare(what: str, received: bytes, digest: str) -> None:
    if _digest(received) != digest:
        raise Failed(
            "other-bytes",
            f"the pulled {what} has another digest: {_digest(received)}",
            "something on the way changes what passes: look at proxies and scanners",
        )


def _tags(answer: Answer) -> list[object]:
    """The tags of a list; none where it is not there."""
    try:
        tags = json.loads(answer.body).get("tags")
    except (ValueError, AttributeError):
        return []
    return tags if isinstance(tags, list) else []


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
