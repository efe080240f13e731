"""Who may sign in: the admin account, Entra ID; and what is open to anybody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from registry_core.errors import NameInvalid
from registry_core.model.names import RepositoryPattern
from registry_core.settings.values import GUID, OFF, ON, SettingsError, listed, switch

MIN_PASSWORD_LENGTH = 16
_SAMPLES = {
    re.compile(r"(?i)change.?me|replace|password|sample|example|secret"): (
        "it has 'changeme', 'replace', 'password', 'sample', 'example' or 'secret' in it"
    ),
    re.compile(r"<.*>"): "it has something in angle brackets",
    re.compile(r"(.)\1{5,}"): "it has one character six times in a row",
    re.compile(r"(?i)123456|abcdef"): "it has '123456' or 'abcdef' in it",
}
"""What makes a password look like a sample, and how that is said."""
ACR_AUDIENCES = ("https://containerregistry.azure.net",)
"""What clients of Azure Container Registry ask Entra ID for a token for."""
ARM_AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
"""Azure Resource Manager's, which older ones ask for; Entra ID may put a slash at their end."""


@dataclass(frozen=True)
class AdminSettings:
    """The admin account: one user name, two passwords of which either is right."""

    username: str
    passwords: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class EntraSettings:
    """Sign-in with Entra ID."""

    tenant_id: str
    """`REGISTRY_ENTRA_TENANT_ID`: the tenant whose tokens are taken."""
    audiences: tuple[str, ...] = (*ACR_AUDIENCES, *ARM_AUDIENCES)
    """`REGISTRY_ENTRA_AUDIENCES`: those that an access token may be for."""
    authority: str = "https://login.microsoftonline.com"
    """`REGISTRY_ENTRA_AUTHORITY`: the cloud's sign-in service, without the tenant."""

    @property
    def own_audiences(self) -> frozenset[str]:
        """The audiences of an app registration of the registry's own: its app roles count."""
        return frozenset(self.audiences).difference(ACR_AUDIENCES, ARM_AUDIENCES)


def admin(env: Mapping[str, str]) -> AdminSettings | None:
    """The admin account; None if it is off. Raises `SettingsError`."""
    if not switch(env, "REGISTRY_ADMIN_USER_ENABLED", False):
        return None
    username = env.get("REGISTRY_ADMIN_USERNAME", "").strip()
    if not username or ":" in username:
        raise SettingsError(
            "REGISTRY_ADMIN_USERNAME: the admin account needs a name, without a colon"
        )
    passwords = []
    for name in ("REGISTRY_ADMIN_PASSWORD", "REGISTRY_ADMIN_PASSWORD2"):
        password = env.get(name, "")
        if password:
            passwords.append(_checked_password(name, password))
    if not passwords:
        raise SettingsError(
            "REGISTRY_ADMIN_PASSWORD: set it, or switch off REGISTRY_ADMIN_USER_ENABLED"
        )
    return AdminSettings(username, tuple(passwords))


def entra(env: Mapping[str, str]) -> EntraSettings | None:
    """Sign-in with Entra ID; None if it is off. Raises `SettingsError`."""
    tenant = env.get("REGISTRY_ENTRA_TENANT_ID", "").strip().lower()
    if not tenant:
        return None
    if not GUID.fullmatch(tenant):
        raise SettingsError(
            "REGISTRY_ENTRA_TENANT_ID: it must be the id of the tenant, which is a GUID"
        )
    audiences = listed(env.get("REGISTRY_ENTRA_AUDIENCES", ""))
    authority = env.get("REGISTRY_ENTRA_AUTHORITY", "").strip().rstrip("/")
    if authority and not authority.startswith("https://"):
        raise SettingsError(
            "REGISTRY_ENTRA_AUTHORITY: it must begin with https://, such as "
            "https://login.microsoftonline.us"
        )
    return EntraSettings(
        tenant, audiences or EntraSettings.audiences, authority or EntraSettings.authority
    )


def anonymous_pull(env: Mapping[str, str]) -> tuple[RepositoryPattern, ...]:
    """What anybody may pull from. Raises `SettingsError`."""
    name = "REGISTRY_ANONYMOUS_PULL"
    text = env.get(name, "").strip().lower()
    if text in ON:
        return (RepositoryPattern("*"),)
    if text in ("", *OFF):
        return ()
    try:
        return tuple(RepositoryPattern.parse(pattern) for pattern in listed(text))
    except NameInvalid as error:
        raise SettingsError(
            f"{name}: use 'on', 'off', or repositories separated by commas, such as docs,public/*"
        ) from error


def _checked_password(name: str, password: str) -> str:
    hint = "make one with: ./slipway admin-password generate"
    if password.startswith("@Microsoft.KeyVault"):
        raise SettingsError(
            f"{name}: the Key Vault reference was not resolved. The app's settings in Azure say why"
        )
    if len(password) < MIN_PASSWORD_LENGTH:
        raise SettingsError(
            f"{name}: it has {len(password)} characters and needs at least {MIN_PASSWORD_LENGTH}; "
            f"{hint}"
        )
    for pattern, rule in _SAMPLES.items():
        if pattern.search(password):
            raise SettingsError(f"{name}: it looks like a sample: {rule}; {hint}")
    return password
