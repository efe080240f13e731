"""A registry over TLS with an issuer of Entra ID's kind beside it, and those who may sign in."""

from __future__ import annotations

import json
import os
import time
import uuid
from dataclasses import dataclass
from urllib.parse import urlencode

from azure.core.credentials import AccessToken, TokenCredential

from tests.e2e.process import run
from tests.e2e.registry import ROOT, Answer, Registry, send
from tests.entra_issuer import ACR, EntraIssuer

CACHE_TTL_SECONDS = 1


@dataclass
class World:
    """A registry over TLS, its issuer, and those who may sign in."""

    registry: Registry
    issuer: EntraIssuer
    environment: dict[str, str]

    def slipway(self, *arguments: str) -> str:
        """Run the command line; answer what it says to programs."""
        env = {
            **os.environ,
            "RegistryStorage": self.registry.storage,
            "SSL_CERT_FILE": str(self.issuer.ca_file),
        }
        return run([ROOT / "slipway", *arguments, "-o", "json"], env=env).text

    def token(self, *repositories: tuple[str, ...]) -> tuple[str, str]:
        """A repository-scoped token's name and password."""
        name = f"token-{uuid.uuid4().hex[:8]}"
        flags = [word for each in repositories for word in ("--repository", *each)]
        made = json.loads(self.slipway("token", "create", "--name", name, *flags))
        return name, made["credentials"]["passwords"][0]["value"]

    def assign(self, role: str, repository: str) -> str:
        """The object id of somebody new who has a role."""
        object_id = str(uuid.uuid4())
        self.slipway(
            *("role-assignment", "create", "--assignee", object_id),
            *("--role", role, "--repository", repository),
        )
        return object_id

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Ask without signing in, or with what `headers` bring."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"https://{self.registry.address}{path}"
        return send(url, method, body, sent, self.issuer.ca_file)

    def exchange(self, entra_token: str) -> str:
        """A refresh token for one of Entra ID's, as `az acr login` gets it."""
        service = self.registry.address
        form = {"grant_type": "access_token", "service": service, "access_token": entra_token}
        content_type = "application/x-www-form-urlencoded"
        body = urlencode(form).encode()
        answer = self.ask("POST", "/oauth2/exchange", body, Content_Type=content_type)
        assert answer.status == 200, answer
        return str(answer.json()["refresh_token"])


class Somebody(TokenCredential):
    """A credential of azure-identity's kind, for an object id in Entra ID."""

    def __init__(self, issuer: EntraIssuer, object_id: str) -> None:
        self._issuer = issuer
        self._object_id = object_id

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        assert scopes == (f"{ACR}/.default",)
        return AccessToken(self._issuer.token(self._object_id), int(time.time()) + 3600)
