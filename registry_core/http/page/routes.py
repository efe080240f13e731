"""`/`, `/ui/…`: the page in a browser, open to all, without storage.

It asks the API as any client does. What is ours below `/ui` begins with an underscore, as no
repository does: all other paths are addresses within the page.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from registry_core import __version__
from registry_core.errors import UnknownRoute
from registry_core.http import addresses, fields
from registry_core.http.context import Context
from registry_core.http.json_response import JsonResponse
from registry_core.http.page.build import ASSETS, File, NotBuiltError, build_in
from registry_core.http.preconditions import has_tag, unchanged
from registry_core.http.surface import Route, Surface
from registry_core.settings import PageSettings, Settings

_OFF = "This is a container registry. Its page for browsers is switched off.\n"
_NOT_BUILT = (
    "This is a container registry. Its page for browsers was not built: "
    "`make run` and `make package` build it.\n"
)
_FOREVER = "public, max-age=31536000, immutable"
"""Of what has another name once it has other content."""
_ASK_AGAIN = "no-cache"
_GZIP = re.compile(r"(?:x-)?gzip|\*")
_ZERO = re.compile(r"q\s*=\s*0(?:\.0*)?")


async def root(context: Context) -> Response:
    """The page; without one, a line that says so."""
    settings = context.settings
    if settings.page is None:
        return _bare(context.request, PlainTextResponse(_OFF))
    try:
        return _index(context.request, settings, settings.page)
    except NotBuiltError:
        return _bare(context.request, PlainTextResponse(_NOT_BUILT))


async def view(context: Context) -> Response:
    """The page, at an address within it."""
    try:
        return _index(context.request, context.settings, _page(context.settings))
    except NotBuiltError as error:
        raise UnknownRoute from error


async def asset(context: Context) -> Response:
    """A file that the page needs."""
    folder, name = _page(context.settings).folder, context.params["rest"]
    try:
        found = build_in(folder).asset(name, packed=_takes_gzip(context.request))
    except NotBuiltError as error:
        raise UnknownRoute from error
    if found is None:
        raise UnknownRoute
    return _answer(context.request, found, {"Cache-Control": _FOREVER})


async def about(context: Context) -> Response:
    """What the page has to know before anybody has signed in; no secret is in it."""
    settings, entra = context.settings, None
    page = _page(settings)
    if settings.entra and page.client_id:
        entra = {
            "clientId": page.client_id,
            "authority": settings.entra.authority,
            "tenant": settings.entra.tenant_id,
            "scope": f"{settings.entra.audiences[0].rstrip('/')}/.default",
        }
    document = {
        "version": __version__,
        "service": addresses.login_server(context.request, settings.login_servers),
        "anonymous": bool(settings.anonymous_pull),
        "deleteEnabled": settings.delete_enabled,
        "entra": entra,
    }
    return _bare(context.request, JsonResponse(document))


def _page(settings: Settings) -> PageSettings:
    """The settings of the page. Raises `UnknownRoute` where it is switched off."""
    if settings.page is None:
        raise UnknownRoute
    return settings.page


def _index(request: Request, settings: Settings, page: PageSettings) -> Response:
    found = build_in(page.folder).index(packed=_takes_gzip(request))
    headers = {"Cache-Control": _ASK_AGAIN, "Content-Security-Policy": _policy(settings)}
    return _answer(request, found, headers)


def _policy(settings: Settings) -> str:
    """What the page may load: its own files, the API, and the authority that people sign in at."""
    reached = "'self'"
    if settings.entra and settings.page and settings.page.client_id:
        authority = urlsplit(settings.entra.authority)
        reached += f" {authority.scheme}://{authority.netloc}"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src {reached}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _answer(request: Request, file: File, headers: dict[str, str]) -> Response:
    headers |= {"ETag": file.entity_tag, "Vary": "Accept-Encoding"}
    if has_tag(request, file.entity_tag):
        return unchanged(headers)
    if file.is_packed:
        headers["Content-Encoding"] = "gzip"
    return _bare(request, Response(file.content, headers=headers, media_type=file.media_type))


def _bare(request: Request, response: Response) -> Response:
    """The answer to a HEAD: all of it but the body, whose length it tells."""
    if request.method == "HEAD":
        response.body = b""
    return response


def _takes_gzip(request: Request) -> bool:
    """Whether the client can read what is packed by gzip (RFC 9110, 12.5.3)."""
    for part in ",".join(fields.values(request, b"accept-encoding")).lower().split(","):
        coding, _, weight = part.partition(";")
        if _GZIP.fullmatch(coding.strip()):
            return not _ZERO.fullmatch(weight.strip())
    return False


_ABOUT, _ASSET = "/ui/_settings.json", f"/ui/{ASSETS}/<rest>"

SURFACE = Surface(
    "",
    tuple(
        Route(method, pattern, kind, None, handler, needs_storage=False)
        for pattern, kind, handler in (
            ("/?", "page", root),
            (_ASSET, "page-asset", asset),
            (_ABOUT, "page-settings", about),
            ("/ui/?", "page", view),
            ("/ui/<rest>", "page", view),
        )
        for method in ("GET", "HEAD")
    ),
    is_private=False,
)
