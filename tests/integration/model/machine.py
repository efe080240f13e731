"""Random requests to a real registry of two instances, each answer held against the model.

One step is one request, or the few that belong together, to an instance picked at random. A run
has repositories and blobs of its own, since all runs share one storage account.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from registry_core.settings import Settings
from tests.integration.core.support import Client, connect
from tests.integration.model import model as spec
from tests.integration.model.model import Document, Location, Model, Session, Told, digest_of

T = TypeVar("T")
Step = TypeVar("Step", bound=Callable[..., None])

INSTANCES = 2
REPOSITORIES = ("a", "a-b", "a.b", "a/b")
"""Names whose order is that of their bytes, and not that of their levels or letters."""
STRANGER = "nobody"
"""A repository that nothing is pushed to."""
TAGS = ("1.0", "10", "A", "_", "a")
KINDS = ("", "application/vnd.example.sbom")
MISSING = spec.descriptor(spec.OCI_MANIFEST, b"missing")
"""A manifest that is never pushed."""
CURSORS = ("", *TAGS, "0", "1.1", "B", "zz")
RANGES = ("", "bytes=0-0", "bytes=-1", "bytes=5-", "bytes=2-3", "bytes=0-999", "bytes=-999")
OUTSIDE = ("bytes=999-", "bytes=999-1000", "bytes=-0", "bytes=3-1")
IGNORED = ("items=0-1",)

_RUNS = itertools.count(1)

instances = st.integers(0, INSTANCES - 1)
repositories = st.sampled_from((0, 0, 0, 0, 1, 1, 2, 3))
blobs = st.integers(0, 5)
algorithms = st.sampled_from(("sha256", "sha256", "sha512"))
manifests = st.sampled_from((0, 0, 0, *range(10)))
likely = st.sampled_from((True, True, False))
ages = st.sampled_from((0, 0, 0, 0, 1, 2))
"""How many answers ago the address used was given."""


@dataclass
class Tally:
    """What all runs have done."""

    steps: int = 0
    told: Counter[str] = field(default_factory=Counter)


_STEPS: list[st.SearchStrategy[tuple[str, dict[str, Any]]]] = []


def step(weight: int, **arguments: st.SearchStrategy[Any]) -> Callable[[Step], Step]:
    """One of what a step may be: `weight` times as often as the rarest.

    Not rules of their own, of which Hypothesis switches many off in each run: a registry that is
    never pushed to answers 404 to everything.
    """

    def register(function: Step) -> Step:
        for _ in range(weight):
            name = st.just(function.__name__)
            _STEPS.append(st.tuples(name, st.fixed_dictionaries(arguments)))
        return function

    return register


class RegistryMachine(RuleBasedStateMachine):
    """The registry against the model."""

    def __init__(
        self, settings: Settings, tally: Tally, model: Callable[..., Model] = Model
    ) -> None:
        super().__init__()
        self.settings, self.tally, self.make_model = settings, tally, model
        self.run_number = next(_RUNS)
        self.prefix = f"m{self.run_number:06d}"
        self.names = [f"{self.prefix}/{name}" for name in REPOSITORIES]
        salt = f"{self.run_number}:".encode()
        # The first two may lie in repositories of other runs; the others are this run's own.
        self.pool = [b"", b"x", salt, salt + b"y" * 10, salt + b"z" * 50, salt + b"w" * 90]
        self.documents = documents_of(self.pool, self.run_number)
        self.sessions: list[Session] = []
        self.touched = self.names[0]
        """The repository that the last step was about."""
        self.visited: set[str] = set()
        self.checks = 0
        self.is_sound = False
        """Whether the last step ended well."""
        self.runner = asyncio.Runner()
        self.connections = AsyncExitStack()

    @initialize(redirect=st.booleans(), is_cached=st.booleans(), is_empty=st.booleans())
    def open_instances(self, redirect: bool, is_cached: bool, is_empty: bool) -> None:
        self.redirect = redirect
        ttl = timedelta(minutes=10 if is_cached else 0)
        settings = replace(self.settings, blob_redirect=redirect, cache_ttl=ttl)
        self.model = self.make_model(self.names, INSTANCES, is_cached=is_cached)
        self.model.contents = {
            digest_of(content, algorithm): content
            for content in self.pool
            for algorithm in ("sha256", "sha512")
        }

        async def start() -> None:
            enter = self.connections.enter_async_context
            self.clients = [await enter(connect(settings)) for _ in range(INSTANCES)]
            self.plain = await enter(httpx.AsyncClient())
            for client in self.clients:
                client.may_read_back = True  # Of states that lag behind, on purpose.

        self.run(start())
        for number in () if is_empty else range(len(self.documents)):
            tags = list(TAGS[:3]) if number == 0 else []
            self.push_manifest(number % 2, 0, number, None, tags, "sha256", True, True)

    def teardown(self) -> None:
        try:
            self.tally.steps += max(self.checks - 1, 0)
            if self.is_sound:
                self.run(self.check_everything())
        finally:
            self.run(self.connections.aclose())
            self.runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    # Asking.

    def ask(self, instance: int, method: str, url: str, **options: Any) -> httpx.Response:
        return self.run(self.request(instance, method, url, **options))

    async def request(self, instance: int, method: str, url: str, **options: Any) -> httpx.Response:
        client: Client = self.clients[instance]
        self.is_sound = False
        answer = await client.send(method, url, **options)
        status, code = told(method, answer)
        self.tally.told[f"{method} {kind_of(url)} {status} {code}".strip()] += 1
        return answer

    def expect(self, answer: httpx.Response, allowed: set[Told]) -> int:
        return expect(answer, allowed)

    def url(self, name: str, *parts: str) -> str:
        return "/".join(["/v2", name, *parts])

    def name(self, repository: int) -> str:
        self.touched = self.names[repository]
        self.visited.add(self.touched)
        return self.touched

    def blob(self, number: int, algorithm: str = "sha256") -> str:
        return digest_of(self.pool[number], algorithm)

    def blob_in(self, name: str, number: int, is_there: bool) -> str:
        """One of the blobs that the repository has; else any."""
        held = self.model.repositories[name].blobs if is_there else set[str]()
        known = [digest for digest in self.model.contents if digest in held]
        return known[number % len(known)] if known else self.blob(number)

    # Uploads.

    def session(self, number: int, *, is_open: bool = False) -> Session:
        """One of the latest, or of those that are open; begun if there is none."""
        found = [s for s in self.sessions if not (is_open and s.is_over)]
        if not found:
            self.begin(0, 0, "sha256")
            return self.sessions[-1]
        return self.of(found[-1 - number % len(found)])

    def of(self, found: Session) -> Session:
        self.touched = found.repository
        return found

    def chunk(self, number: int, part: str) -> bytes:
        content = self.pool[number]
        half = len(content) // 2
        return {"all": content, "first": content[:half], "second": content[half:]}[part]

    def begun(self, name: str, answer: httpx.Response) -> None:
        session = Session(name)
        assert answer.headers["range"] == session.range
        session.give(answer.headers["location"])
        self.sessions.append(session)

    @step(1, by=instances, repository=repositories, algorithm=algorithms)
    def begin(self, by: int, repository: int, algorithm: str) -> None:
        name = self.name(repository)
        query = {} if algorithm == "sha256" else {"digest-algorithm": algorithm}
        answer = self.ask(by, "POST", self.url(name, "blobs/uploads/"), params=query)
        self.expect(answer, {spec.ACCEPTED})
        self.begun(name, answer)

    @step(
        4,
        by=instances,
        number=st.integers(0, 2),
        is_open=st.sampled_from((True, True, True, False)),
        age=ages,
        content=blobs,
        part=st.sampled_from(("all", "first", "second")),
        shift=st.sampled_from((None, None, 0, 0, -1, 1, 7)),
    )
    def send_chunk(
        self,
        by: int,
        number: int,
        is_open: bool,
        age: int,
        content: int,
        part: str,
        shift: int | None,
    ) -> None:
        session, chunk = self.session(number, is_open=is_open), self.chunk(content, part)
        location = session.location(age)
        claimed, headers = None, {}
        if shift is not None and chunk:
            first = max(len(session.content) + shift, 0)
            claimed = first, first + len(chunk) - 1
            headers["Content-Range"] = f"{claimed[0]}-{claimed[1]}"
        answer = self.ask(by, "PATCH", location.url, content=chunk, headers=headers)
        status = self.expect(answer, self.model.patching(session, location, chunk, claimed))
        if status == 202:
            session.take(chunk)
        if status in (202, 416):
            assert answer.headers["range"] == session.range
            session.give(answer.headers["location"])

    @step(1, by=instances, number=st.integers(0, 2), age=ages)
    def ask_for_status(self, by: int, number: int, age: int) -> None:
        session = self.session(number)
        self.status(by, session, session.location(age))

    def status(self, by: int, session: Session, location: Location, last: bytes = b"") -> None:
        """What has come: all the model knows of, and perhaps the `last` of a refused commit."""
        answer = self.ask(by, "GET", location.url)
        if self.expect(answer, self.model.asking(session)) == 204:
            if last and answer.headers["range"] != session.range:
                session.take(last)
            assert answer.headers["range"] == session.range
            session.give(answer.headers["location"])

    @step(
        3,
        by=instances,
        number=st.integers(0, 2),
        is_open=st.booleans(),
        age=ages,
        content=blobs,
        part=st.sampled_from(("none", "none", "all", "second")),
        is_right=st.sampled_from((True, True, True, False)),
        algorithm=algorithms,
    )
    def commit(
        self,
        by: int,
        number: int,
        is_open: bool,
        age: int,
        content: int,
        part: str,
        is_right: bool,
        algorithm: str,
    ) -> None:
        session = self.session(number, is_open=is_open)
        last = b"" if part == "none" else self.chunk(content, part)
        whole = session.content if session.committed else session.content + last
        digest = digest_of(whole if is_right else whole + b"!", algorithm)
        self.commit_as(by, session, session.location(age), digest, last)

    @step(1, by=instances, number=st.integers(0, 2))
    def commit_again(self, by: int, number: int) -> None:
        """As a client does that has not got the answer."""
        done = [session for session in self.sessions if session.last]
        if not done:
            return
        session = self.of(done[-1 - number % len(done)])
        assert session.last
        location, last = session.last
        self.commit_as(by, session, location, session.committed, last)

    def commit_as(
        self, by: int, session: Session, location: Location, digest: str, last: bytes
    ) -> None:
        answer = self.ask(by, "PUT", f"{location.url}&digest={digest}", content=last)
        allowed = self.model.committing(session, location, digest, last)
        status = self.expect(answer, allowed)
        if status == 201:
            assert answer.headers["docker-content-digest"] == digest
            assert answer.headers["location"] == self.url(session.repository, "blobs", digest)
            self.model.commit(session, location, digest, last, by)
        elif not session.is_over:
            may_have_come = location.writes == session.writes
            self.status(by, session, location, last if may_have_come else b"")

    @step(1, by=instances, number=st.integers(0, 4), age=ages)
    def cancel(self, by: int, number: int, age: int) -> None:
        session = self.session(number)
        answer = self.ask(by, "DELETE", session.location(age).url)
        if self.expect(answer, self.model.asking(session)) == 204:
            session.is_cancelled = True

    @step(
        1,
        by=instances,
        number=st.integers(0, 2),
        repository=repositories,
        method=st.sampled_from(("GET", "PATCH", "PUT", "DELETE")),
    )
    def use_session_elsewhere(self, by: int, number: int, repository: int, method: str) -> None:
        session = self.session(number)
        name = next(n for n in self.names[repository:] + self.names if n != session.repository)
        url = session.location(0).url.replace(f"/{session.repository}/", f"/{name}/")
        if method == "PUT":
            url += f"&digest={digest_of(session.content)}"
        self.expect(self.ask(by, method, url), {spec.UPLOAD_UNKNOWN})

    @step(
        2,
        by=instances,
        repository=repositories,
        number=blobs,
        algorithm=algorithms,
        is_right=st.sampled_from((True, True, True, False)),
    )
    def push_at_once(
        self, by: int, repository: int, number: int, algorithm: str, is_right: bool
    ) -> None:
        name, content = self.name(repository), self.pool[number]
        digest = digest_of(content if is_right else content + b"!", algorithm)
        self.push_blob(by, name, content, digest)

    def push_blob(self, by: int, name: str, content: bytes, digest: str) -> None:
        url = self.url(name, f"blobs/uploads/?digest={digest}")
        answer = self.ask(by, "POST", url, content=content)
        is_right = digest_of(content, digest.partition(":")[0]) == digest
        self.expect(answer, {spec.CREATED} if is_right else {spec.DIGEST_INVALID})
        if is_right:
            assert answer.headers["location"] == self.url(name, "blobs", digest)
            self.model.put_blob(name, digest, content, by)

    @step(
        1,
        by=instances,
        repository=repositories,
        source=st.sampled_from((*range(len(REPOSITORIES)), None, STRANGER)),
        number=blobs,
    )
    def mount(self, by: int, repository: int, source: int | str | None, number: int) -> None:
        name, digest = self.name(repository), self.blob(number)
        query = {"mount": digest}
        origin: str | None = source if isinstance(source, str) else None
        if isinstance(source, int):
            origin = self.names[source]
        if origin is not None:
            query["from"] = origin
        answer = self.ask(by, "POST", self.url(name, "blobs/uploads/"), params=query)
        allowed = self.model.mounting(origin, digest)
        if origin is None and number < 2:
            allowed = allowed | {spec.CREATED}  # Another run's repository may hold it.
        if self.expect(answer, allowed) == 201:
            assert answer.headers["location"] == self.url(name, "blobs", digest)
            self.model.put_blob(name, digest, self.pool[number], by)
        else:
            self.begun(name, answer)

    # Blobs.

    @step(
        2,
        by=instances,
        repository=repositories,
        number=blobs,
        is_there=likely,
        asked=st.just("") | st.sampled_from(RANGES) | st.sampled_from(OUTSIDE + IGNORED),
        method=st.sampled_from(("GET", "GET", "HEAD")),
    )
    def read_blob(
        self, by: int, repository: int, number: int, is_there: bool, asked: str, method: str
    ) -> None:
        name = self.name(repository)
        digest = self.blob_in(name, number, is_there)
        if self.redirect and asked in IGNORED:
            asked = ""  # How storage takes it is not the registry's to say.
        self.run(self.check_blob(by, name, digest, method, asked))

    async def check_blob(
        self, by: int, name: str, digest: str, method: str = "GET", asked: str = ""
    ) -> None:
        content = self.model.contents[digest]
        span = selected_of(method, asked, len(content))
        headers = {"Range": asked} if asked else {}
        answer = await self.request(by, method, self.url(name, "blobs", digest), headers=headers)
        allowed = self.reading_blob(by, name, digest, span, method)
        status = expect(answer, allowed)
        if status == 404:
            self.model.forget(by, name, digest)
            return
        self.model.remember(by, name, digest)
        if status == 416:
            assert answer.headers["content-range"] == f"bytes */{len(content)}"
            return
        assert answer.headers["docker-content-digest"] == digest
        if status == 307:
            assert urlsplit(answer.headers["location"]).scheme
            answer = await self.plain.get(answer.headers["location"], headers=headers)
            assert answer.status_code == (200 if span is None else 206)
        check_bytes(answer, content, span, has_body=method == "GET")

    def reading_blob(
        self, by: int, name: str, digest: str, span: range | None, method: str
    ) -> set[Told]:
        if span is not None and not span:
            found = {spec.RANGE_INVALID}
        elif method == "GET" and self.redirect:
            found = {spec.REDIRECT} if span is None else {spec.REDIRECT, spec.PARTIAL}
        else:
            found = {spec.OK if span is None else spec.PARTIAL}
        if self.model.has_blob(name, digest):
            return found
        stale = found if self.model.may_be_stale(by, name, digest) else set()
        return {spec.BLOB_UNKNOWN} | stale

    @step(4, by=instances, repository=repositories, number=blobs, is_there=likely)
    def delete_blob(self, by: int, repository: int, number: int, is_there: bool) -> None:
        name = self.name(repository)
        self.delete_blob_of(by, name, self.blob_in(name, number, is_there))

    def delete_blob_of(self, by: int, name: str, digest: str) -> None:
        answer = self.ask(by, "DELETE", self.url(name, "blobs", digest))
        if self.expect(answer, self.model.deleting_blob(name, digest)) == 202:
            self.model.delete_blob(name, digest, by)

    # Manifests.

    @step(
        6,
        by=instances,
        repository=repositories,
        number=manifests,
        tag=st.none() | st.sampled_from(TAGS),
        more=st.lists(st.sampled_from(TAGS), max_size=3),
        algorithm=algorithms,
        is_complete=likely,
        is_typed=likely,
    )
    def push_manifest(
        self,
        by: int,
        repository: int,
        number: int,
        tag: str | None,
        more: list[str],
        algorithm: str,
        is_complete: bool,
        is_typed: bool,
    ) -> None:
        """By tag or by digest, with the tags of `tag=`, after its blobs if `is_complete`."""
        name, document = self.name(repository), self.documents[number]
        if is_complete:
            for blob in sorted(document.required - self.model.repositories[name].blobs):
                self.push_blob(by, name, self.model.contents[blob], blob)
        digest = digest_of(document.content, "sha256" if tag else algorithm)
        answer = self.ask(
            by,
            "PUT",
            self.url(name, "manifests", tag or digest),
            content=document.content,
            headers={"Content-Type": document.media_type} if is_typed else {},
            params={"tag": more},
        )
        if self.expect(answer, self.model.putting(name, document)) != 201:
            self.model.refuse_manifest(name, digest, document, by)
            return
        assert answer.headers["docker-content-digest"] == digest
        assert answer.headers["location"] == self.url(name, "manifests", digest)
        assert answer.headers.get("oci-subject", "") == document.subject
        assert answer.headers.get_list("oci-tag") == list(dict.fromkeys(more))
        self.model.put_manifest(name, digest, document, [tag, *more] if tag else more, by)

    @step(
        1,
        by=instances,
        repository=repositories,
        number=manifests,
        flaw=st.sampled_from(("digest", "type", "body")),
        tag=st.sampled_from(TAGS),
    )
    def push_flawed_manifest(
        self, by: int, repository: int, number: int, flaw: str, tag: str
    ) -> None:
        """Under another's digest, with a type that is not its own, or cut short."""
        name, document = self.name(repository), self.documents[number]
        content, media_type, allowed = document.content, document.media_type, spec.MANIFEST_INVALID
        reference = tag
        if flaw == "digest":
            reference, allowed = digest_of(content + b" "), spec.DIGEST_INVALID
        elif flaw == "type":
            is_index = media_type in (spec.OCI_INDEX, spec.DOCKER_LIST)
            media_type = spec.OCI_MANIFEST if is_index else spec.OCI_INDEX
        else:
            content = content[:-1]
        url = self.url(name, "manifests", reference)
        headers = {"Content-Type": media_type}
        answer = self.ask(by, "PUT", url, content=content, headers=headers, params={"tag": tag})
        self.expect(answer, {allowed})

    def reference(self, number: int, tag: str | None, algorithm: str) -> str:
        """A tag, or the digest of a manifest that may have been pushed."""
        return tag or digest_of(self.documents[number].content, algorithm)

    @step(
        2,
        by=instances,
        repository=repositories,
        number=manifests,
        tag=st.none() | st.sampled_from(TAGS),
        algorithm=algorithms,
        method=st.sampled_from(("GET", "HEAD")),
    )
    def read_manifest(
        self,
        by: int,
        repository: int,
        number: int,
        tag: str | None,
        algorithm: str,
        method: str,
    ) -> None:
        reference = self.reference(number, tag, algorithm)
        self.run(self.check_manifest(by, self.name(repository), reference, method))

    async def check_manifest(self, by: int, name: str, reference: str, method: str = "GET") -> None:
        digest = self.model.digest_at(name, reference)
        allowed = {spec.OK} if digest else {spec.MANIFEST_UNKNOWN}
        if not digest and self.model.may_be_stale(by, name, reference):
            allowed, digest = allowed | {spec.OK}, reference
        answer = await self.request(by, method, self.url(name, "manifests", reference))
        if expect(answer, allowed) == 404:
            self.model.forget(by, name, reference)
            return
        document = self.model.documents[digest]
        if method == "GET" or reference == digest:  # HEAD by tag asks nothing of the manifest.
            self.model.remember(by, name, digest)
            self.model.remember_blobs(by, name, document)
        assert answer.headers["docker-content-digest"] == digest
        assert answer.headers["content-type"] == document.media_type
        assert answer.headers["content-length"] == str(len(document.content))
        if method == "GET":
            assert answer.content == document.content

    @step(
        2,
        by=instances,
        repository=repositories,
        number=manifests,
        tag=st.none() | st.sampled_from(TAGS),
        algorithm=algorithms,
    )
    def delete_manifest(
        self, by: int, repository: int, number: int, tag: str | None, algorithm: str
    ) -> None:
        name, reference = self.name(repository), self.reference(number, tag, algorithm)
        self.delete_manifest_of(by, name, reference)

    @step(2, by=instances, repository=repositories, number=blobs)
    def delete_manifest_that_is_there(self, by: int, repository: int, number: int) -> None:
        name = self.name(repository)
        held = list(self.model.repositories[name].manifests)
        if held:
            self.delete_manifest_of(by, name, held[number % len(held)])

    @step(1, by=instances, repository=repositories, number=blobs)
    def withdraw(self, by: int, repository: int, number: int) -> None:
        """A manifest, and then the blobs that nothing needs any more."""
        name = self.name(repository)
        held = list(self.model.repositories[name].manifests)
        if held:
            document = self.model.documents[held[number % len(held)]]
            self.delete_manifest_of(by, name, held[number % len(held)])
            for digest in sorted(document.blobs):
                self.delete_blob_of(by, name, digest)

    def delete_manifest_of(self, by: int, name: str, reference: str) -> None:
        answer = self.ask(by, "DELETE", self.url(name, "manifests", reference))
        if self.expect(answer, self.model.deleting_manifest(name, reference)) == 202:
            self.model.delete_manifest(name, reference, by)

    # Listings.

    @step(
        3,
        by=instances,
        repository=repositories,
        last=st.sampled_from(CURSORS),
        size=st.sampled_from((None, 0, 1, 2, 3, 1000)),
    )
    def list_tags(self, by: int, repository: int, last: str, size: int | None) -> None:
        self.run(self.check_tags(by, self.name(repository), last, size))

    async def check_tags(self, by: int, name: str, last: str = "", size: int | None = None) -> None:
        url, query = self.url(name, "tags/list"), page_query(last, size)
        pages = await self.pages(by, url, query, self.model.listing_tags(name))
        assert all(page["name"] == name for page in pages)
        if pages:
            check_pages([page["tags"] for page in pages], self.model.tags(name, last), size)

    @step(
        1,
        by=instances,
        after=st.none() | st.integers(0, len(REPOSITORIES) - 1),
        size=st.sampled_from((None, 0, 1, 2, 3)),
    )
    def list_repositories(self, by: int, after: int | None, size: int | None) -> None:
        self.run(
            self.check_catalogue(by, self.prefix if after is None else self.names[after], size)
        )

    async def check_catalogue(self, by: int, last: str, size: int | None = None) -> None:
        """Runs count upwards, so none has a repository after this one's."""
        pages = await self.pages(by, "/v2/_catalog", page_query(last, size), {spec.OK})
        check_pages([page["repositories"] for page in pages], self.model.catalogue(last), size)

    @step(
        2,
        by=instances,
        repository=repositories,
        number=st.sampled_from((None, 0, 0, 3)),
        kind=st.sampled_from(KINDS),
    )
    def list_referrers(self, by: int, repository: int, number: int | None, kind: str) -> None:
        referred = MISSING if number is None else self.documents[number].reference
        subject = referred["digest"]
        self.run(self.check_referrers(by, self.name(repository), subject, kind))

    async def check_referrers(self, by: int, name: str, subject: str, kind: str = "") -> None:
        query = {"artifactType": kind} if kind else {}
        url = self.url(name, "referrers", subject)
        pages = await self.pages(by, url, query, {spec.OK}, is_filtered=bool(kind))
        listed = [entry for page in pages for entry in page["manifests"]]
        assert all(page["mediaType"] == spec.OCI_INDEX for page in pages)
        assert all(page["schemaVersion"] == 2 for page in pages)
        found = {entry["digest"]: entry for entry in listed}
        assert len(found) == len(listed)
        assert found == self.model.referrers(name, subject, kind)

    async def pages(
        self,
        by: int,
        url: str,
        query: dict[str, str],
        allowed: set[Told],
        *,
        is_filtered: bool = False,
    ) -> list[Any]:
        """Every page, following `Link` to the end; each from the other instance."""
        pages: list[Any] = []
        options: dict[str, Any] = {"params": query}
        while url:
            answer = await self.request((by + len(pages)) % INSTANCES, "GET", url, **options)
            if expect(answer, allowed) != 200:
                return []
            assert ("oci-filters-applied" in answer.headers) is is_filtered
            pages.append(answer.json())
            link = answer.links.get("next", {}).get("url", "")
            assert not urlsplit(link).netloc
            url, options = urljoin(url, link) if link else "", {}
            assert len(pages) < 100
        return pages

    @rule(what=st.one_of(_STEPS))
    def step(self, what: tuple[str, dict[str, Any]]) -> None:
        name, arguments = what
        getattr(self, name)(**arguments)

    # What is true at all times.

    @invariant()
    def the_tags_are_the_models(self) -> None:
        self.checks += 1
        self.run(self.check_tags(self.checks % INSTANCES, self.touched))
        self.is_sound = True

    async def check_everything(self) -> None:
        """What the model holds can be read whole, from any instance, and nothing else can."""
        turns = itertools.cycle(range(INSTANCES))
        for name, held in self.model.repositories.items():
            work = [self.check_tags(next(turns), name)]
            for digest in self.model.pushed if name in self.visited else ():
                method = "GET" if digest in held.blobs else "HEAD"
                work.append(self.check_blob(next(turns), name, digest, method))
            references = (*self.model.documents, *TAGS) if held.was_pushed_to else ()
            work += [self.check_manifest(next(turns), name, text) for text in references]
            subjects = {document.subject for document in held.manifests.values()} - {""}
            for subject, kind in itertools.product(subjects, KINDS):
                work.append(self.check_referrers(next(turns), name, subject, kind))
            for outcome in await asyncio.gather(*work, return_exceptions=True):
                if outcome:
                    raise outcome
        await self.check_catalogue(next(turns), self.prefix)


def documents_of(pool: Sequence[bytes], run: int) -> list[Document]:
    """Images, artefacts and indexes of a run, which refer to one another and to what is missing."""
    own: dict[str, Any] = {"annotations": {"run": str(run)}}
    noted: dict[str, Any] = {"annotations": {"run": str(run), "note": "é\n"}}
    sbom: dict[str, Any] = {"artifactType": KINDS[1], **own}
    image = spec.image(pool[2], [pool[3]], **own)
    docker = spec.image(pool[3], [pool[1], pool[1]], media_type=spec.DOCKER_MANIFEST, **own)
    foreign = spec.image(pool[2], [pool[0]], foreign=pool[4], **own)
    about: dict[str, Any] = {"subject": image.reference}
    referrer = spec.image(pool[2], [], **about, **sbom)
    other = spec.image(pool[4], [pool[0]], **about, **noted)
    third = spec.index([image.reference], **about, **sbom)
    orphan = spec.image(pool[2], [pool[5]], subject=MISSING, **sbom)
    chain = spec.image(pool[2], [pool[2]], subject=referrer.reference, **own)
    index = spec.index([image.reference, docker.reference, MISSING], **own)
    empty = spec.index([], media_type=spec.DOCKER_LIST, **noted)
    return [image, docker, foreign, referrer, other, third, orphan, chain, index, empty]


def kind_of(url: str) -> str:
    """Which endpoint an address is one of, for the tally."""
    parts = urlsplit(url).path.split("/")
    kinds = ("uploads", "blobs", "manifests", "tags", "referrers", "_catalog")
    return next(kind for kind in kinds if kind in parts)


def told(method: str, answer: httpx.Response) -> Told:
    """What a client is told; an error has the form of the distribution spec, to HEAD no body."""
    if answer.status_code < 400 or method == "HEAD":
        return answer.status_code, ""
    (error,) = answer.json()["errors"]
    assert error["message"]
    return answer.status_code, error["code"]


def expect(answer: httpx.Response, allowed: set[Told]) -> int:
    """The status, which with its code is one of those allowed."""
    found = told(answer.request.method, answer)
    if answer.request.method == "HEAD":
        allowed = {(status, "") for status, _ in allowed}
    request = f"{answer.request.method} {answer.request.url.raw_path.decode()[:120]}"
    assert found in allowed, f"{request} was answered {found}, not {sorted(allowed)}"
    return answer.status_code


def selected_of(method: str, asked: str, size: int) -> range | None:
    """`Range` has a meaning for GET only (RFC 9110, 14.2)."""
    return spec.selected(asked, size) if method == "GET" else None


def check_bytes(
    answer: httpx.Response, content: bytes, span: range | None, *, has_body: bool
) -> None:
    wanted = content if span is None else content[span.start : span.stop]
    assert answer.headers["content-length"] == str(len(wanted))
    if has_body:
        assert answer.content == wanted
    if span is not None:
        limits = f"bytes {span.start}-{span.stop - 1}/{len(content)}"
        assert answer.headers["content-range"] == limits


def page_query(last: str, size: int | None) -> dict[str, str]:
    query = {"last": last} if last else {}
    return query if size is None else query | {"n": str(size)}


def check_pages(pages: Sequence[list[str]], wanted: list[str], size: int | None) -> None:
    """In the order of bytes, each entry once, `size` to a page but for the last."""
    if size == 0:
        assert pages == [[]]
        return
    assert [entry for page in pages for entry in page] == wanted
    if size is not None:
        assert all(len(page) == size for page in pages[:-1])
        assert len(pages[-1]) <= size
