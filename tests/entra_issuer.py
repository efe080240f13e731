"""An issuer of tokens like Entra ID's, on loopback with TLS: discovery, keys, client credentials.

It can rotate its keys, be down, answer nonsense, and counts what it is asked.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any, Self

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from devhost.cert import CertificateDirectory

ACR = "https://containerregistry.azure.net"


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
        application.router.add_post(f"{base}/oauth2/v2.0/token", self._sign_in)
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
        token = f"{self.url}/{self.tenant}/oauth2/v2.0/token"
        return web.json_response({"issuer": self.issuer, "jwks_uri": uri, "token_endpoint": token})

    async def _publish(self, _: web.Request) -> web.Response:
        if self.nonsense:
            return web.Response(body=self.nonsense)
        keys = []
        for kid, key in self._keys.items():
            document = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
            keys.append({**document, "kid": kid, "use": "sig"})
        return web.json_response({"keys": keys})

    async def _sign_in(self, request: web.Request) -> web.Response:
        form = await request.post()
        known = self.secrets.get((str(form.get("client_id")), str(form.get("client_secret"))))
        if known is None or form.get("scope") != f"{ACR}/.default":
            error = {"error": "invalid_client", "error_description": "AADSTS7000215"}
            return web.json_response(error, status=401)
        token = self.sign(known)
        return web.json_response(
            {"token_type": "Bearer", "expires_in": 3599, "access_token": token}
        )
