"""The page's files through the edge of an instance that must never need its storage for them."""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.requests import Request

from registry_core.auth.rate_limiter import RateLimiter
from registry_core.http import edge, surfaces
from registry_core.http.page.build import build_in
from registry_core.model.requests import RequestKind
from registry_core.settings import (
    AdminSettings,
    EntraSettings,
    PageSettings,
    RateLimits,
    Settings,
    StorageSettings,
)
from tests.integration.core.support import Client, connect

INDEX = b"<!doctype html><title>Slipway</title>" + b" " * 2000
SCRIPT = b"console.log('hello');" * 200
ICON = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
TENANT = "3c2b1a00-0000-4000-8000-000000000001"
PAGES = ("/", "/ui", "/ui/", "/ui/team/app/web", "/ui/team/app/web?tag=v1", "/ui/_signed-in")
POLICY = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A build as `npm run build` leaves it, and beside it a file that is none of its."""
    built = tmp_path / "ui" / "dist"
    (built / "_assets").mkdir(parents=True)
    for name, content in (
        ("index.html", INDEX),
        ("_assets/index-1a2b3c4d.js", SCRIPT),
        ("_assets/icon-5e6f7a8b.svg", ICON),
    ):
        (built / name).write_bytes(content)
        (built / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
    (built / "_assets" / "icon-5e6f7a8b.svg.gz").unlink()
    (tmp_path / "secret.txt").write_text("secret")
    (built / "other.txt").write_text("secret")
    return built


@pytest.fixture
def settings(folder: Path) -> Settings:
    """Of a registry whose storage does not answer: nothing listens there."""
    return Settings(
        storage=StorageSettings(
            "AccountName=nowhere;AccountKey=bm90aGluZw==;"
            "BlobEndpoint=http://127.0.0.1:9/nowhere;TableEndpoint=http://127.0.0.1:9/nowhere;"
            "QueueEndpoint=http://127.0.0.1:9/nowhere"
        ),
        login_servers=("registry.example.com", "localhost:7071"),
        admin=AdminSettings("admin", ("a-password-that-nobody-sends",)),
        page=PageSettings(folder=folder),
    )


def serving(
    settings: Settings, rate_limiter: RateLimiter | None = None
) -> AbstractAsyncContextManager[Client]:
    """A fresh instance, which has opened nothing."""
    return connect(settings, is_cold=True, rate_limiter=rate_limiter)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    async with serving(settings) as connected:
        connected.http.headers["Accept-Encoding"] = "identity"
        yield connected


def calls(client: Client) -> int:
    return sum(trace.count for trace in client.traces)


@pytest.mark.parametrize("path", PAGES)
async def test_every_address_of_the_page_is_the_same_page_and_asks_nothing_of_storage(
    client: Client, path: str
) -> None:
    answer = await client.send("GET", path)
    assert (answer.status_code, answer.content) == (200, INDEX)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert calls(client) == 0
    assert client.registry._services is None
    assert client.registry._connection is None


async def test_what_has_another_name_with_other_content_is_kept_for_ever(client: Client) -> None:
    answer = await client.send("GET", "/ui/_assets/index-1a2b3c4d.js")
    assert (answer.status_code, answer.content) == (200, SCRIPT)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert calls(client) == 0


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        ("gzip", True),
        ("deflate, gzip;q=0.5, br", True),
        ("br, X-GZIP", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("br, deflate", False),
        ("gzipped", False),
        ("", False),
    ],
)
@pytest.mark.parametrize(
    ("path", "content"), [("/", INDEX), ("/ui/_assets/index-1a2b3c4d.js", SCRIPT)]
)
async def test_who_takes_gzip_is_sent_what_was_packed_when_it_was_built(
    client: Client, path: str, content: bytes, accepted: str, is_packed: bool
) -> None:
    async with client.http.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer:
        sent = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert sent == (gzip.compress(content, mtime=0) if is_packed else content)
    assert answer.headers.get("content-encoding") == ("gzip" if is_packed else None)
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-length"] == str(len(sent))


async def test_what_was_not_packed_is_sent_plain(client: Client) -> None:
    path = "/ui/_assets/icon-5e6f7a8b.svg"
    answer = await client.send("GET", path, headers={"Accept-Encoding": "gzip"})
    assert answer.content == ICON
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/ui/_assets/index-1a2b3c4d.js"])
async def test_an_entity_tag_is_of_the_bytes_that_are_sent_and_saves_sending_them_again(
    client: Client, path: str
) -> None:
    tags = {}
    for accepted in ("identity", "gzip"):
        headers = {"Accept-Encoding": accepted}
        first = await client.send("GET", path, headers=headers)
        tags[accepted] = first.headers["etag"]
        assert tags[accepted].startswith('"')
        for told in (tags[accepted], f'"other", W/{tags[accepted]}', "*"):
            again = await client.send("GET", path, headers={**headers, "If-None-Match": told})
            assert (again.status_code, again.content) == (304, b"")
            for name in ("etag", "cache-control", "vary"):
                assert again.headers[name] == first.headers[name]
    assert tags["identity"] != tags["gzip"]
    stale = {"Accept-Encoding": "identity", "If-None-Match": tags["gzip"]}
    assert (await client.send("GET", path, headers=stale)).status_code == 200


@pytest.mark.parametrize("path", [*PAGES, "/ui/_assets/index-1a2b3c4d.js", "/ui/_settings.json"])
async def test_head_tells_what_get_would_without_the_body(client: Client, path: str) -> None:
    got, told = [await client.send(method, path) for method in ("GET", "HEAD")]
    assert (told.status_code, told.content) == (200, b"")
    for answer in (got, told):
        del answer.headers["x-ms-correlation-request-id"]
    assert told.headers == got.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_nothing_of_the_page_can_be_changed(client: Client, method: str) -> None:
    for path in ("/", "/ui/team/app", "/ui/_assets/index-1a2b3c4d.js", "/ui/_settings.json"):
        answer = await client.send(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


HOSTILE = (
    *("index-1a2b3c4d.js.gz", "nowhere.js", "", ".", "..", "../index.html", "../other.txt"),
    *("..%2findex.html", "%2e%2e/%2e%2e/%2e%2e/secret.txt", "../../../secret.txt"),
    *("..%5c..%5csecret.txt", "/etc/passwd", "%2fetc%2fpasswd", "index-1a2b3c4d.js%00.svg"),
    *("index-1a2b3c4d.js/", "index-1a2b3c4d.js/x", "x" * 5000, "%ff%fe", "index-1a2b3c4d.JS"),
)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
async def test_no_path_leads_to_a_file_that_is_none_of_the_page(client: Client, name: str) -> None:
    # Not by the client of the other tests, which takes dots out of paths.
    path = f"/ui/_assets/{name}"
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    answer = await edge.handle(client.registry, surfaces.PAGE, Request(scope), path)
    assert answer.status_code == 404
    assert b"NOT_FOUND" in answer.body


async def test_other_files_beside_the_page_are_not_served(client: Client) -> None:
    assert (await client.send("GET", "/ui/other.txt")).content == INDEX
    assert (await client.send("GET", "/other.txt")).status_code == 404


async def test_the_page_may_load_from_the_registry_alone_and_run_no_text_as_a_script(
    client: Client,
) -> None:
    answer = await client.send("GET", "/ui/team/app")
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy == [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
    others = {name: value for name, value in POLICY.items() if name != "content-security-policy"}
    assert others.items() <= answer.headers.items()


@pytest.mark.parametrize(
    "path",
    [
        "/ui/_assets/index-1a2b3c4d.js",
        "/ui/_assets/nowhere",
        "/ui/_settings.json",
        "/nowhere",
        "/v2/",
        "/v2/a/manifests/x",
        "/acr/v1/_catalog",
        "/oauth2/token",
        "/oauth2/nowhere",
    ],
)
async def test_no_other_answer_of_the_registry_is_a_page_or_can_be_framed(
    client: Client, path: str
) -> None:
    answer = await client.send("GET", path)
    assert POLICY.items() <= answer.headers.items()


async def test_the_page_is_told_what_it_needs_to_sign_in_and_no_secret(settings: Settings) -> None:
    own = "api://0f0e0d0c-0000-4000-8000-000000000002"
    entra = EntraSettings(TENANT, (f"{own}/", "https://containerregistry.azure.net"))
    client_id, authority = own.rpartition("/")[2], "https://login.microsoftonline.com"
    folder = settings.page.folder if settings.page else Path()
    page = PageSettings(client_id, folder)
    async with serving(replace(settings, entra=entra, page=page)) as client:
        answer = await client.send("GET", "/ui/_settings.json", headers={"Host": "localhost:7071"})
        policy = (await client.send("GET", "/")).headers["content-security-policy"]
        assert calls(client) == 0
    told = answer.json()
    assert told.pop("version")
    assert told == {
        "service": "localhost:7071",
        "anonymous": False,
        "deleteEnabled": True,
        "entra": {
            "clientId": client_id,
            "authority": authority,
            "tenant": TENANT,
            "scope": f"{own}/.default",
        },
    }
    assert answer.headers["cache-control"] == "no-store"
    assert f"connect-src 'self' {authority};" in policy


@pytest.mark.parametrize("host", ["evil.example", "registry.example.com", '"><script>'])
async def test_a_name_that_a_client_sends_is_told_to_no_page(client: Client, host: str) -> None:
    page, told = [
        await client.send("GET", path, headers={"Host": host})
        for path in ("/", "/ui/_settings.json")
    ]
    for answer in (page, told):
        assert "evil" not in answer.text
        assert "<script>" not in answer.text
    assert told.json()["service"] == "registry.example.com"


async def test_entra_id_is_offered_only_where_an_application_is_named(settings: Settings) -> None:
    async with serving(replace(settings, entra=EntraSettings(TENANT))) as client:
        assert (await client.send("GET", "/ui/_settings.json")).json()["entra"] is None
        policy = (await client.send("GET", "/")).headers["content-security-policy"]
    assert "connect-src 'self';" in policy


async def test_where_it_is_switched_off_the_root_is_a_line_and_nothing_else_is_there(
    settings: Settings,
) -> None:
    async with serving(replace(settings, page=None)) as client:
        answer = await client.send("GET", "/")
        assert (answer.status_code, len(answer.text.splitlines())) == (200, 1)
        assert "switched off" in answer.text
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert POLICY.items() <= answer.headers.items()
        for path in ("/ui", "/ui/", "/ui/team/app", "/ui/_settings.json", "/ui/_assets/x.js"):
            gone = await client.send("GET", path)
            assert (gone.status_code, gone.json()["errors"][0]["code"]) == (404, "NOT_FOUND")


async def test_where_it_was_not_built_the_root_says_so_until_it_is(
    settings: Settings, tmp_path: Path, folder: Path
) -> None:
    later = tmp_path / "later"
    async with serving(replace(settings, page=PageSettings(folder=later))) as client:
        answer = await client.send("GET", "/")
        assert (answer.status_code, answer.headers["content-type"]) == (
            200,
            "text/plain; charset=utf-8",
        )
        assert "was not built" in answer.text
        assert "make run" in answer.text
        for path in ("/ui/team/app", "/ui/_assets/index-1a2b3c4d.js"):
            assert (await client.send("GET", path)).status_code == 404
        await asyncio.to_thread(folder.rename, later)
        assert (await client.send("GET", "/")).content == INDEX


async def test_a_file_is_read_once_and_only_when_it_is_asked_for(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[str] = Counter()
    plain = Path.read_bytes

    def counted(path: Path) -> bytes:
        read[path.relative_to(folder).as_posix()] += 1
        return plain(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    async with serving(settings) as client:
        assert not read
        paths = ["/", "/ui/team/app", "/ui/_assets/index-1a2b3c4d.js"]
        answers = await asyncio.gather(*(client.send("GET", path) for path in paths * 64))
    assert {answer.status_code for answer in answers} == {200}
    assert read == {"index.html.gz": 1, "_assets/index-1a2b3c4d.js.gz": 1}


async def test_the_page_uses_up_nobodys_requests(settings: Settings) -> None:
    one = RateLimits(read=1, read_total=1, sign_in=1, sign_in_total=1)
    async with serving(replace(settings, rate_limits=one), RateLimiter(one)) as client:
        for path in ("/", "/ui/_settings.json", "/ui/_assets/index-1a2b3c4d.js") * 5:
            assert (await client.send("GET", path)).status_code == 200
        left = client.registry.rate_limiter.take((RequestKind.READ,), "somebody")
        assert left == 0


async def test_a_build_in_another_folder_is_another(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.html").write_bytes(b"another")
    assert build_in(folder).index(packed=False).content == INDEX
    assert build_in(tmp_path / "other").index(packed=True).content == b"another"
