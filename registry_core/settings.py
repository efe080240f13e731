"""Typed settings, read once from the environment; each is documented here and nowhere twice.

A wrong setting stops the app with `SettingsError`, which names the setting and says what to do.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from registry_core.errors import NameInvalid
from registry_core.model.accounts import account_of
from registry_core.model.names import RepositoryPattern
from registry_core.model.schedule import parse_schedule

MIN_PASSWORD_LENGTH = 16
MIN_GRACE = timedelta(hours=1)
MIN_EXPIRY = timedelta(minutes=10)
DEFAULT_BODY_LIMIT = 100 * 1024 * 1024
"""The largest body that the Functions host takes where nothing is set, in bytes."""
SERVICES = ("blob", "table", "queue")
"""The services of a storage account that the registry uses."""

_DEVELOPMENT_STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEt"
    "lCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1"
)
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

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_PLACE = re.compile(r"(?:https?://[^/?#@\s]+|file://)/[^?#\s]+")
_DURATION = re.compile(r"(\d{1,6})\s*(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(
    rf"(?=.{{1,260}}$)(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]{{2,39}}\])(?::(?P<port>[0-9]{{1,5}}))?"
)


class SettingsError(Exception):
    """A setting is missing or wrong; the text names it and says how to mend it."""


@dataclass(frozen=True)
class StorageSettings:
    """Where storage is: a connection string, or service URIs and an identity."""

    connection_string: str = field(default="", repr=False)
    """`RegistryStorage`: with an account key; local development and tests."""
    blob_uri: str = ""
    """`RegistryStorage__blobServiceUri`: https://<account>.blob.core.windows.net."""
    table_uri: str = ""
    """`RegistryStorage__tableServiceUri`: https://<account>.table.core.windows.net."""
    queue_uri: str = ""
    """`RegistryStorage__queueServiceUri`: https://<account>.queue.core.windows.net."""
    credential: str = ""
    """`RegistryStorage__credential`: `managedidentity`, or nothing for the environment's own."""
    client_id: str = ""
    """`RegistryStorage__clientId`: of a user-assigned managed identity."""
    account_name: str = ""
    """`RegistryStorage__accountName`: needed where the address of blobs is a custom domain's."""

    @property
    def account(self) -> str:
        """The storage account's name. Raises `SettingsError` if nothing tells it.

        The SDK would sign for an account without a name, and storage refuse what it signed.
        """
        if self.connection_string:
            return connection_values(self.connection_string)["accountname"]
        name = self.account_name or account_of(self.blob_uri, "blob")
        if not name:
            raise SettingsError(
                "RegistryStorage__accountName: set it to the storage account's name. It is needed "
                f"to sign addresses of blobs, and {self.blob_uri} does not contain it"
            )
        return name


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


@dataclass(frozen=True)
class KeepWarmSettings:
    """An instance for HTTP is kept by a timer that asks for `/healthz`."""

    schedule: str
    """`REGISTRY_KEEP_WARM`: when, in NCRONTAB; the times are UTC."""
    host: str
    """Whom it asks: `WEBSITE_HOSTNAME`, which is this app and no other region; else the first of
    the login servers."""


@dataclass(frozen=True)
class BackupSettings:
    """Backups are made by a timer."""

    to: str
    """`REGISTRY_BACKUP_TO`: a container of any storage account, or a folder."""
    connection_string: str = field(default="", repr=False)
    """`BackupStorage`: of the account of that container, where no identity is used."""


@dataclass(frozen=True)
class PageSettings:
    """The page that shows the registry in a browser."""

    client_id: str = ""
    """`REGISTRY_UI_CLIENT_ID`: the app registration by which people sign in there with Entra ID."""
    folder: Path = Path(__file__).parents[1] / "ui" / "dist"
    """Where its files are. No setting of the environment."""


class RequestLog(StrEnum):
    """Which requests have a line in the log, of those that leave no audit record."""

    ALL = "all"
    FAILED = "failed"
    """Those that failed, were slow, or took many storage calls."""
    OFF = "off"


@dataclass(frozen=True)
class RequestLogSettings:
    """What is logged of requests. Audit records cannot be switched off."""

    requests: RequestLog = RequestLog.FAILED
    """`REGISTRY_REQUEST_LOG`: all, failed or off."""
    slow: timedelta = timedelta(seconds=10)
    """`REGISTRY_REQUEST_LOG_SLOW`: with `failed`, a request that takes so long has a line, too."""


_METRICS_URL = re.compile(r"(?:https://|http://(?:localhost|127\.0\.0\.1)(?=[:/]))\S+/metrics")
"""By https, or to this machine, where no token is sent."""


@dataclass(frozen=True)
class TimeLimits:
    """How long storage may keep the registry waiting, in seconds. No setting of the environment."""

    request: float = 25.0
    """For a request that moves no bytes of content, and between bytes that move."""
    call: float = 10.0
    """For one storage call; for one that sends content, a second more for each MiB."""
    health: float = 4.0
    """For `/healthz`."""


@dataclass(frozen=True)
class RateLimits:
    """How many requests an instance answers in a minute; 0 is no limit.

    The defaults are those of Azure Container Registry's tier Premium. It has no limit on the
    sign-ins of one address.
    """

    read: int = 10_000
    """`REGISTRY_RATE_LIMIT_READ`: `GET` and `HEAD` by one identity."""
    read_total: int = 20_000
    """`REGISTRY_RATE_LIMIT_READ_TOTAL`: by all together."""
    write: int = 2_000
    """`REGISTRY_RATE_LIMIT_WRITE`: `POST`, `PATCH` and `PUT` by one identity."""
    write_total: int = 4_000
    """`REGISTRY_RATE_LIMIT_WRITE_TOTAL`: by all together."""
    delete: int = 2_000
    """`REGISTRY_RATE_LIMIT_DELETE`: `DELETE` by one identity."""
    delete_total: int = 4_000
    """`REGISTRY_RATE_LIMIT_DELETE_TOTAL`: by all together."""
    referrers: int = 1_000
    """`REGISTRY_RATE_LIMIT_REFERRERS`: lists of referrers, of the reads of one identity."""
    referrers_total: int = 2_000
    """`REGISTRY_RATE_LIMIT_REFERRERS_TOTAL`: by all together."""
    sign_in: int = 10_000
    """`REGISTRY_RATE_LIMIT_SIGN_IN`: requests to `/oauth2/…` from one address."""
    sign_in_total: int = 20_000
    """`REGISTRY_RATE_LIMIT_SIGN_IN_TOTAL`: from all together."""


@dataclass(frozen=True)
class Settings:
    """Everything that operators can set."""

    storage: StorageSettings
    login_servers: tuple[str, ...] = ("localhost:7071",)
    """`REGISTRY_LOGIN_SERVERS`: host names clients use, the first being the one announced."""
    peers: tuple[str, ...] = ()
    """`REGISTRY_PEERS`: host names of the other regions, whose tokens are taken."""
    admin: AdminSettings | None = None
    """`REGISTRY_ADMIN_USER_ENABLED`, `_USERNAME`, `_PASSWORD`, `_PASSWORD2`; None is off."""
    entra: EntraSettings | None = None
    """`REGISTRY_ENTRA_TENANT_ID`, `_AUDIENCES`, `_AUTHORITY`; None is off."""
    anonymous_pull: tuple[RepositoryPattern, ...] = ()
    """`REGISTRY_ANONYMOUS_PULL`: repositories that anybody may pull from."""
    cors_origins: tuple[str, ...] = ()
    """`REGISTRY_CORS_ORIGINS`: origins whose pages may read in a browser; none is off."""
    trusted_proxies: int = 1
    """`REGISTRY_TRUSTED_PROXIES`: how many proxies in front add to `X-Forwarded-For`."""
    client_address_header: str = ""
    """`REGISTRY_CLIENT_ADDRESS_HEADER`: the header of a proxy that tells the client's address."""
    blob_redirect: bool = True
    """`REGISTRY_BLOB_REDIRECT`: answer a blob GET with a 307 to storage, or stream it."""
    delete_enabled: bool = True
    """`REGISTRY_DELETE_ENABLED`: off answers every deletion with 405."""
    gc_grace: timedelta = timedelta(hours=24)
    """`REGISTRY_GC_GRACE`: how long what nothing needs is kept; at least an hour."""
    upload_expiry: timedelta = timedelta(days=7)
    """`REGISTRY_UPLOAD_EXPIRY`: how long an upload session waits for its next bytes."""
    cache_ttl: timedelta = timedelta(seconds=5)
    """`REGISTRY_CACHE_TTL`: how long an instance may answer a read from memory."""
    keep_warm: KeepWarmSettings | None = None
    """`REGISTRY_KEEP_WARM`; None is off."""
    backup: BackupSettings | None = None
    """`REGISTRY_BACKUP_TO`; None is off."""
    rate_limits: RateLimits | None = RateLimits()
    """`REGISTRY_RATE_LIMITS`, and the settings of each; None is off."""
    request_log: RequestLogSettings = RequestLogSettings()
    """`REGISTRY_REQUEST_LOG`, `_SLOW`."""
    page: PageSettings | None = PageSettings()
    """`REGISTRY_UI`, `_CLIENT_ID`; None is off."""
    metrics_url: str = ""
    """`REGISTRY_METRICS`: where Azure Monitor takes the registry's metrics; empty is off."""
    body_limit: int = DEFAULT_BODY_LIMIT
    """`FUNCTIONS_REQUEST_BODY_SIZE_LIMIT`: the largest body that the host lets through, in bytes.
    It is the host's own setting; clients are told of it."""
    region: str = "local"
    """`REGISTRY_REGION`, or `REGION_NAME` that App Service sets: in the stamps of changed rows."""
    limits: TimeLimits = TimeLimits()
    """Not for operators: they follow from what clients and Azure's front end wait for."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """The settings in `environment` (by default the process's). Raises `SettingsError`."""
        env = os.environ if environment is None else environment
        grace = _duration(env, "REGISTRY_GC_GRACE", cls.gc_grace)
        if grace < MIN_GRACE:
            raise SettingsError(
                "REGISTRY_GC_GRACE: set it to 1h or more. With less, a push could lose its blobs"
            )
        expiry = _duration(env, "REGISTRY_UPLOAD_EXPIRY", cls.upload_expiry)
        if expiry < MIN_EXPIRY:
            raise SettingsError(
                "REGISTRY_UPLOAD_EXPIRY: set it to 10m or more. With less, a push could not finish"
            )
        named = env.get("REGISTRY_REGION", "").strip() or env.get("REGION_NAME", "")
        region = re.sub(r"[^a-z0-9]", "", named.lower())
        login_servers = _login_servers(env)
        return cls(
            storage=_storage(env),
            login_servers=login_servers,
            peers=_peers(env),
            admin=_admin(env),
            entra=_entra(env),
            anonymous_pull=_anonymous_pull(env),
            cors_origins=_cors_origins(env),
            trusted_proxies=_trusted_proxies(env),
            client_address_header=_client_address_header(env),
            blob_redirect=_switch(env, "REGISTRY_BLOB_REDIRECT", cls.blob_redirect),
            delete_enabled=_switch(env, "REGISTRY_DELETE_ENABLED", cls.delete_enabled),
            gc_grace=grace,
            upload_expiry=expiry,
            cache_ttl=_duration(env, "REGISTRY_CACHE_TTL", cls.cache_ttl),
            keep_warm=_keep_warm(env, login_servers[0]),
            backup=_backup(env),
            rate_limits=_rate_limits(env),
            request_log=_request_log(env),
            page=_page(env),
            metrics_url=_metrics_url(env),
            body_limit=_body_limit(env),
            region=region or cls.region,
        )


def _storage(env: Mapping[str, str]) -> StorageSettings:
    connection = env.get("RegistryStorage", "").strip()
    if connection:
        development = connection.rstrip(";").lower() == "usedevelopmentstorage=true"
        if development:
            return StorageSettings(_DEVELOPMENT_STORAGE)
        values = connection_values(connection)
        if not {"accountname", "accountkey"} <= set(values):
            raise SettingsError(
                "RegistryStorage: the connection string needs AccountName and AccountKey. To use "
                "an identity instead, remove it and set RegistryStorage__blobServiceUri, "
                "RegistryStorage__tableServiceUri and RegistryStorage__queueServiceUri"
            )
        _check_key(values["accountkey"])
        _check_account(
            f"RegistryStorage: AccountName is {values['accountname']}",
            values["accountname"],
            {name: values.get(f"{name}endpoint", "") for name in SERVICES},
        )
        return StorageSettings(connection)
    account = env.get("RegistryStorage__accountName", "").strip()
    uris = {}
    for service in SERVICES:
        uri = env.get(f"RegistryStorage__{service}ServiceUri", "").strip().rstrip("/")
        if not uri and account:
            uri = f"https://{account}.{service}.core.windows.net"
        if not uri:
            raise SettingsError(
                f"RegistryStorage__{service}ServiceUri: it is missing. Set "
                "RegistryStorage__blobServiceUri, RegistryStorage__tableServiceUri and "
                "RegistryStorage__queueServiceUri, or only RegistryStorage__accountName, or set "
                "RegistryStorage to a connection string. "
                "For Azurite on its usual ports, that is UseDevelopmentStorage=true"
            )
        if not uri.startswith("https://"):
            raise SettingsError(
                f"RegistryStorage__{service}ServiceUri: it must begin with https://"
            )
        uris[service] = uri
    credential = env.get("RegistryStorage__credential", "").strip().lower()
    if credential not in ("", "managedidentity"):
        raise SettingsError(
            "RegistryStorage__credential: set it to 'managedidentity', or remove it"
        )
    storage = StorageSettings(
        blob_uri=uris["blob"],
        table_uri=uris["table"],
        queue_uri=uris["queue"],
        credential=credential,
        client_id=env.get("RegistryStorage__clientId", "").strip(),
        account_name=account,
    )
    _check_account(f"RegistryStorage: the account is {storage.account}", storage.account, uris)
    return storage


def connection_values(connection_string: str) -> dict[str, str]:
    """The values of a connection string by their names, which are in lower case."""
    pairs = (part.partition("=") for part in connection_string.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if value.strip()}


def _check_key(key: str) -> None:
    """Raises `SettingsError` unless it is base64, as every account's key is."""
    try:
        b64decode(key, validate=True)
    except ValueError as error:
        raise SettingsError(
            "RegistryStorage: AccountKey is not base64, so it is not the account's key, or not all "
            "of it. Copy the connection string again"
        ) from error


def _check_account(said: str, account: str, addresses: Mapping[str, str]) -> None:
    """Raises `SettingsError` where an address is another account's."""
    for service, address in addresses.items():
        if account_of(address, service) not in (None, account):
            raise SettingsError(
                f"{said}, but its {service} address belongs to another account: {address}"
            )


def _login_servers(env: Mapping[str, str]) -> tuple[str, ...]:
    text = env.get("REGISTRY_LOGIN_SERVERS") or env.get("WEBSITE_HOSTNAME") or "localhost:7071"
    servers = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not servers or not all(map(_is_host, servers)):
        raise SettingsError(
            "REGISTRY_LOGIN_SERVERS: use host names separated by commas, each with its port if it "
            "has one: registry.example.com,localhost:7071"
        )
    return servers


def _peers(env: Mapping[str, str]) -> tuple[str, ...]:
    peers = _list(env.get("REGISTRY_PEERS", "").lower())
    if not all(map(_is_host, peers)):
        raise SettingsError(
            "REGISTRY_PEERS: use the host names of the other regions, separated by commas"
        )
    return peers


def _admin(env: Mapping[str, str]) -> AdminSettings | None:
    if not _switch(env, "REGISTRY_ADMIN_USER_ENABLED", False):
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


def _entra(env: Mapping[str, str]) -> EntraSettings | None:
    tenant = env.get("REGISTRY_ENTRA_TENANT_ID", "").strip().lower()
    if not tenant:
        return None
    if not _GUID.fullmatch(tenant):
        raise SettingsError(
            "REGISTRY_ENTRA_TENANT_ID: it must be the id of the tenant, which is a GUID"
        )
    audiences = _list(env.get("REGISTRY_ENTRA_AUDIENCES", ""))
    authority = env.get("REGISTRY_ENTRA_AUTHORITY", "").strip().rstrip("/")
    if authority and not authority.startswith("https://"):
        raise SettingsError(
            "REGISTRY_ENTRA_AUTHORITY: it must begin with https://, such as "
            "https://login.microsoftonline.us"
        )
    return EntraSettings(
        tenant, audiences or EntraSettings.audiences, authority or EntraSettings.authority
    )


def _anonymous_pull(env: Mapping[str, str]) -> tuple[RepositoryPattern, ...]:
    name = "REGISTRY_ANONYMOUS_PULL"
    text = env.get(name, "").strip().lower()
    if text in ("on", "true", "1", "yes", "enabled"):
        return (RepositoryPattern("*"),)
    if text in ("", "off", "false", "0", "no", "disabled"):
        return ()
    try:
        return tuple(RepositoryPattern.parse(pattern) for pattern in _list(text))
    except NameInvalid as error:
        raise SettingsError(
            f"{name}: use 'on', 'off', or repositories separated by commas, such as docs,public/*"
        ) from error


def _cors_origins(env: Mapping[str, str]) -> tuple[str, ...]:
    origins = _list(env.get("REGISTRY_CORS_ORIGINS", "").lower())
    for origin in origins:
        scheme, _, host = origin.partition("://")
        if scheme not in ("http", "https") or not _is_host(host):
            raise SettingsError(
                "REGISTRY_CORS_ORIGINS: use origins separated by commas, such as "
                "https://pages.example.com, without a path"
            )
    return origins


def _trusted_proxies(env: Mapping[str, str]) -> int:
    text = env.get("REGISTRY_TRUSTED_PROXIES", "").strip() or "1"
    if text not in ("0", "1", "2", "3", "4"):
        raise SettingsError("REGISTRY_TRUSTED_PROXIES: use a number from 0 to 4")
    return int(text)


def _client_address_header(env: Mapping[str, str]) -> str:
    text = env.get("REGISTRY_CLIENT_ADDRESS_HEADER", "").strip()
    if text.lower() in ("", "off"):
        return ""
    if not _HEADER.fullmatch(text):
        raise SettingsError(
            "REGISTRY_CLIENT_ADDRESS_HEADER: use 'off', or the name of the header in which your "
            "proxy tells the client's address, such as X-Azure-ClientIP"
        )
    return text


def _keep_warm(env: Mapping[str, str], login_server: str) -> KeepWarmSettings | None:
    name = "REGISTRY_KEEP_WARM"
    text = env.get(name, "").strip()
    if text.lower() in ("", "off", "false", "0", "no", "disabled"):
        return None
    try:
        schedule = parse_schedule(text)
    except ValueError as error:
        raise SettingsError(
            f"{name}: use 'off' or an NCRONTAB schedule, such as 0 */4 6-17 * * 1-5 ({error})"
        ) from error
    return KeepWarmSettings(schedule, env.get("WEBSITE_HOSTNAME", "").strip() or login_server)


def _backup(env: Mapping[str, str]) -> BackupSettings | None:
    name = "REGISTRY_BACKUP_TO"
    text = env.get(name, "").strip()
    if text.lower() in ("", "off", "false", "0", "no", "disabled"):
        return None
    if not _PLACE.fullmatch(text):
        # Not repeated: it may hold a signature.
        raise SettingsError(
            f"{name}: use 'off' or the address of a container, such as "
            "https://account.blob.core.windows.net/container, without a signature"
        )
    return BackupSettings(text, env.get("BackupStorage", "").strip())


def _page(env: Mapping[str, str]) -> PageSettings | None:
    name = "REGISTRY_UI_CLIENT_ID"
    if not _switch(env, "REGISTRY_UI", True):
        return None
    client_id = env.get(name, "").strip().lower()
    if client_id and not _GUID.fullmatch(client_id):
        raise SettingsError(
            f"{name}: it must be the application's (client) id of the page's app registration, "
            "which is a GUID"
        )
    if client_id and not env.get("REGISTRY_ENTRA_TENANT_ID", "").strip():
        raise SettingsError(f"{name}: it needs REGISTRY_ENTRA_TENANT_ID as well, or remove it")
    return PageSettings(client_id)


def _request_log(env: Mapping[str, str]) -> RequestLogSettings:
    name, default = "REGISTRY_REQUEST_LOG", RequestLogSettings()
    text = env.get(name, "").strip().lower() or default.requests
    try:
        requests = RequestLog(text)
    except ValueError as error:
        raise SettingsError(f"{name}: use 'all', 'failed' or 'off', not {text[:40]!r}") from error
    return RequestLogSettings(requests, _duration(env, f"{name}_SLOW", default.slow))


def _metrics_url(env: Mapping[str, str]) -> str:
    text = env.get("REGISTRY_METRICS", "").strip()
    if text.lower() in ("", "off", "false", "0", "no", "disabled"):
        return ""
    if not _METRICS_URL.fullmatch(text):
        raise SettingsError(
            "REGISTRY_METRICS: use 'off', or the address of Azure Monitor for the resource that "
            "has the metrics, such as "
            "https://westeurope.monitoring.azure.com/subscriptions/…/metrics"
        )
    return text


def _rate_limits(env: Mapping[str, str]) -> RateLimits | None:
    if not _switch(env, "REGISTRY_RATE_LIMITS", True):
        return None
    given = {
        "read": "REGISTRY_RATE_LIMIT_READ",
        "read_total": "REGISTRY_RATE_LIMIT_READ_TOTAL",
        "write": "REGISTRY_RATE_LIMIT_WRITE",
        "write_total": "REGISTRY_RATE_LIMIT_WRITE_TOTAL",
        "delete": "REGISTRY_RATE_LIMIT_DELETE",
        "delete_total": "REGISTRY_RATE_LIMIT_DELETE_TOTAL",
        "referrers": "REGISTRY_RATE_LIMIT_REFERRERS",
        "referrers_total": "REGISTRY_RATE_LIMIT_REFERRERS_TOTAL",
        "sign_in": "REGISTRY_RATE_LIMIT_SIGN_IN",
        "sign_in_total": "REGISTRY_RATE_LIMIT_SIGN_IN_TOTAL",
    }
    return RateLimits(
        **{field: _requests(env, name, getattr(RateLimits, field)) for field, name in given.items()}
    )


def _requests(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,7}", text):
        raise SettingsError(
            f"{name}: use a number of requests in a minute, such as 1000, or 0 for no limit"
        )
    return int(text)


def _body_limit(env: Mapping[str, str]) -> int:
    """As the host reads it; where it cannot read it, its default counts."""
    text = env.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "").strip()
    return int(text) if re.fullmatch(r"0*[1-9][0-9]{0,17}", text) else DEFAULT_BODY_LIMIT


def _is_host(text: str) -> bool:
    """A host name or an IPv6 address in brackets, with a port or without (RFC 3986, 3.2.2)."""
    found = _HOST.fullmatch(text)
    return found is not None and 0 < int(found["port"] or 443) < 65_536


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


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


def _switch(env: Mapping[str, str], name: str, default: bool) -> bool:
    text = env.get(name, "").strip().lower()
    if not text:
        return default
    if text in ("on", "true", "1", "yes", "enabled"):
        return True
    if text in ("off", "false", "0", "no", "disabled"):
        return False
    raise SettingsError(f"{name}: use 'on' or 'off', not {text[:40]!r}")


def _duration(env: Mapping[str, str], name: str, default: timedelta) -> timedelta:
    text = env.get(name, "").strip().lower()
    if not text:
        return default
    match = _DURATION.fullmatch(text)
    if not match:
        raise SettingsError(f"{name}: use a number with the unit s, m, h or d, such as 24h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
