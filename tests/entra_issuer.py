"""An issuer of tokens like Entra ID's, on loopback with TLS: discovery, keys, client credentials.

Also the authorization code flow with PKCE, for pages (RFC 6749, 4.1; RFC 7636). It can rotate its
keys, be down, answer nonsense, and counts what it is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import json
import secrets
import ssl
import threading
import time
import uuid
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from devhost.cert import CertificateDirectory

ACR = "https://containerregistry.azure.net"


_SIGNED_IN = "signed-in"
"""The cookie of who has signed in at the issuer before."""
_FOR_PAGES = {"Access-Control-Allow-Origin": "*"}


@dataclass(frozen=True)
class _Code:
    """What an authorization code is good for, once."""

    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str
    scope: str


class EntraIssuer:
    """One tenant. `url` is the authority; `ca_file` is what to trust it by."""

    def __init__(self, folder: Path, tenant: str = "") -> None:
        self.tenant = tenant or str(uuid.uuid4())
        self.asked: Counter[str] = Counter()
        self.status = 200
        """Of every answer; other than 200, without content."""
        self.nonsense = b""
        """What is answered instead of keys."""
        self.secrets: dict[tuple[str, str], dict[str, Any]] = {}
        """Claims of the token that an application's id and secret get."""
        self.applications: dict[str, str] = {}
        """Of applications that are pages, by their ids: the one address that each comes back to."""
        self.person: dict[str, Any] = {}
        """Claims of whoever signs in at the issuer's own page."""
        self._codes: dict[str, _Code] = {}
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self.kid = ""
        self.rotate()
        certificates = CertificateDirectory(folder)
        certificates.ensure()
        self.ca_file = certificates.authority
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certificates.certificate, certificates.key)
        self._port = 0
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"https://localhost:{self._port}"

    @property
    def issuer(self) -> str:
        return f"{self.url}/{self.tenant}/v2.0"

    def trust(self) -> ssl.SSLContext:
        """A client's context that trusts this issuer."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def rotate(self, *, keep: bool = False) -> None:
        """Signs with a new key from here on; the old one is published no more, unless kept."""
        if not keep:
            self._keys.clear()
        self.kid = uuid.uuid4().hex
        self._keys[self.kid] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def claims(self, object_id: str = "", **changes: Any) -> dict[str, Any]:
        """The claims of an access token for Azure Container Registry."""
        now = int(time.time())
        return {
            "aud": ACR,
            "iss": self.issuer,
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "tid": self.tenant,
            "oid": object_id or str(uuid.uuid4()),
            "appid": str(uuid.uuid4()),
            **changes,
        }

    def token(self, object_id: str = "", **changes: Any) -> str:
        """A token with such claims."""
        return self.sign(self.claims(object_id, **changes))

    def sign(self, claims: dict[str, Any], **headers: Any) -> str:
        key = self._keys[self.kid]
        return jwt.encode(claims, key, "RS256", headers={"kid": self.kid, **headers})

    @property
    def public_key(self) -> rsa.RSAPublicKey:
        return self._keys[self.kid].public_key()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop
        assert self._stop
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        application = web.Application(middlewares=[self._count])
        base = f"/{self.tenant}"
        discovery = f"{base}/v2.0/.well-known/openid-configuration"
        application.router.add_get(discovery, self._discover)
        application.router.add_get(f"{base}/keys", self._publish)
        application.router.add_post(f"{base}/oauth2/v2.0/token", self._token)
        application.router.add_get(f"{base}/oauth2/v2.0/authorize", self._authorize)
        application.router.add_post(f"{base}/oauth2/v2.0/authorize", self._authorize)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "localhost", 0, ssl_context=self._tls)
        await site.start()
        self._port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    @web.middleware
    async def _count(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked[request.path.rpartition("/")[2]] += 1
        if self.status != 200:
            return web.Response(status=self.status)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _discover(self, _: web.Request) -> web.Response:
        uri = f"{self.url}/{self.tenant}/keys"
        endpoints = f"{self.url}/{self.tenant}/oauth2/v2.0"
        document = {
            "issuer": self.issuer,
            "jwks_uri": uri,
            "token_endpoint": f"{endpoints}/token",
            "authorization_endpoint": f"{endpoints}/authorize",
        }
        return web.json_response(document, headers=_FOR_PAGES)

    async def _publish(self, _: web.Request) -> web.Response:
        if self.nonsense:
            return web.Response(body=self.nonsense)
        keys = []
        for kid, key in self._keys.items():
            document = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
            keys.append({**document, "kid": kid, "use": "sig"})
        return web.json_response({"keys": keys})

    async def _authorize(self, request: web.Request) -> web.Response:
        """The issuer's own page, with a button; or back to the application at once."""
        asked = request.query
        address = self.applications.get(asked.get("client_id", ""))
        if address is None or asked.get("redirect_uri") != address:
            return web.Response(status=400, text="AADSTS50011: no such application or address")
        if asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
            return _back(asked, error="invalid_request")
        if "openid" not in asked.get("scope", "").split():
            return _back(asked, error="invalid_scope")
        if request.method == "POST" or _SIGNED_IN in request.cookies:
            code = secrets.token_urlsafe(32)
            self._codes[code] = _Code(
                asked["client_id"],
                address,
                asked.get("code_challenge", ""),
                asked.get("nonce", ""),
                asked["scope"],
            )
            answer = _back(asked, code=code)
            answer.set_cookie(_SIGNED_IN, "yes", secure=True, httponly=True)
            return answer
        if asked.get("prompt") == "none":
            return _back(asked, error="login_required")
        name = html.escape(str(self.person.get("preferred_username", "")))
        page = f"<form method=post><button>Sign in as {name}</button></form>"
        return web.Response(text=page, content_type="text/html")

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("grant_type") == "authorization_code":
            return self._redeem({name: str(value) for name, value in form.items()}, request)
        return self._sign_in(form)

    def _redeem(self, form: Mapping[str, str], request: web.Request) -> web.Response:
        """Tokens for a code, for the page that it was given to and that has its verifier."""
        code = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        named = (form.get("client_id"), form.get("redirect_uri"), challenge)
        # Entra ID gives a page's code to no program that sends no Origin (AADSTS9002327).
        if (
            code is None
            or named != (code.client_id, code.redirect_uri, code.challenge)
            or "Origin" not in request.headers
        ):
            error = {"error": "invalid_grant", "error_description": "AADSTS70008"}
            return web.json_response(error, status=400, headers=_FOR_PAGES)
        (scope,) = (each for each in code.scope.split() if each.endswith("/.default"))
        access = self.claims(aud=scope.removesuffix("/.default"), **self.person)
        identity = {**access, "aud": code.client_id, "nonce": code.nonce, "sub": access["oid"]}
        document = {
            "token_type": "Bearer",
            "expires_in": 3599,
            "scope": scope,
            "access_token": self.sign(access),
            "id_token": self.sign(identity),
        }
        return web.json_response(document, headers=_FOR_PAGES)

    def _sign_in(self, form: Mapping[str, Any]) -> web.Response:
        known = self.secrets.get((str(form.get("client_id")), str(form.get("client_secret"))))
        if known is None or form.get("scope") != f"{ACR}/.default":
            error = {"error": "invalid_client", "error_description": "AADSTS7000215"}
            return web.json_response(error, status=401)
        token = self.sign(known)
        return web.json_response(
            {"token_type": "Bearer", "expires_in": 3599, "access_token": token}
        )


def _back(asked: Mapping[str, str], **parameters: str) -> web.Response:
    """Sends the browser back, with parameters where the application wants them."""
    told = urlencode({**parameters, "state": asked.get("state", "")})
    mark = "#" if asked.get("response_mode") == "fragment" else "?"
    return web.Response(status=302, headers={"Location": f"{asked['redirect_uri']}{mark}{told}"})
