import base64
import hashlib
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from registry_core.settings import (
    AdminSettings,
    BackupSettings,
    KeepWarmSettings,
    PageSettings,
    RateLimits,
    RequestLog,
    RequestLogSettings,
    Settings,
    SettingsError,
)

PASSWORD, PASSWORD2 = "vR7-kQ2_tW9-xZ4_bN6", "hJ3_mL8-pD5_gS1-cF0"
URIS = {
    "RegistryStorage__blobServiceUri": "https://acct.blob.core.windows.net",
    "RegistryStorage__tableServiceUri": "https://acct.table.core.windows.net",
    "RegistryStorage__queueServiceUri": "https://acct.queue.core.windows.net",
}
CONNECTION = "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=c2VjcmV0LWtleQ=="
ADMIN = {
    "REGISTRY_ADMIN_USER_ENABLED": "on",
    "REGISTRY_ADMIN_USERNAME": "admin",
    "REGISTRY_ADMIN_PASSWORD": PASSWORD,
}


def read(**environment: str) -> Settings:
    return Settings.from_environment({**URIS, **environment})


def refusal(**environment: str) -> str:
    with pytest.raises(SettingsError) as raised:
        read(**environment)
    return str(raised.value)


def test_the_defaults_are_the_documented_ones() -> None:
    settings = read()
    assert settings.login_servers == ("localhost:7071",)
    assert settings.admin is None
    assert settings.blob_redirect is True
    assert settings.delete_enabled is True
    assert settings.gc_grace == timedelta(hours=24)
    assert settings.upload_expiry == timedelta(days=7)
    assert settings.cache_ttl == timedelta(seconds=5)
    assert settings.keep_warm is None
    assert settings.rate_limits == RateLimits()
    assert settings.region == "local"
    assert settings.metrics_url == ""


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("REGISTRY_BLOB_REDIRECT", "off", "blob_redirect", False),
        (
            "REGISTRY_CORS_ORIGINS",
            "https://Pages.example.com, http://localhost:5173",
            "cors_origins",
            ("https://pages.example.com", "http://localhost:5173"),
        ),
        ("REGISTRY_DELETE_ENABLED", "off", "delete_enabled", False),
        ("REGISTRY_METRICS", "Off", "metrics_url", ""),
        (
            "REGISTRY_METRICS",
            " https://westeurope.monitoring.azure.com/subscriptions/S/metrics ",
            "metrics_url",
            "https://westeurope.monitoring.azure.com/subscriptions/S/metrics",
        ),
        (
            "REGISTRY_METRICS",
            "http://127.0.0.1:8000/metrics",
            "metrics_url",
            "http://127.0.0.1:8000/metrics",
        ),
        (
            "REGISTRY_BACKUP_TO",
            "https://account.blob.core.windows.net/backups",
            "backup",
            BackupSettings("https://account.blob.core.windows.net/backups"),
        ),
        ("REGISTRY_BACKUP_TO", "off", "backup", None),
        ("REGISTRY_GC_GRACE", "1h", "gc_grace", timedelta(hours=1)),
        ("REGISTRY_GC_GRACE", "90m", "gc_grace", timedelta(minutes=90)),
        ("REGISTRY_UPLOAD_EXPIRY", " 2 D ", "upload_expiry", timedelta(days=2)),
        ("REGISTRY_CACHE_TTL", "0s", "cache_ttl", timedelta(0)),
        ("REGISTRY_CACHE_TTL", "5s", "cache_ttl", timedelta(seconds=5)),
        ("REGISTRY_LOGIN_SERVERS", "r.example.com", "login_servers", ("r.example.com",)),
        (
            "REGISTRY_LOGIN_SERVERS",
            " R.example.com , localhost:7071,,[::1]:7071",
            "login_servers",
            ("r.example.com", "localhost:7071", "[::1]:7071"),
        ),
        ("WEBSITE_HOSTNAME", "x.azurewebsites.net", "login_servers", ("x.azurewebsites.net",)),
        ("REGISTRY_PEERS", "A.example, b.example:8443", "peers", ("a.example", "b.example:8443")),
        ("REGION_NAME", "West Europe", "region", "westeurope"),
        ("REGION_NAME", "!", "region", "local"),
        ("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "27262976", "body_limit", 27_262_976),
        ("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", " 0100 ", "body_limit", 100),
        ("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "100 MB", "body_limit", 104_857_600),
        ("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "0", "body_limit", 104_857_600),
        ("REGISTRY_REGION", "East US 2", "region", "eastus2"),
        ("REGISTRY_REQUEST_LOG", "All", "request_log", RequestLogSettings(RequestLog.ALL)),
        ("REGISTRY_REQUEST_LOG", "off", "request_log", RequestLogSettings(RequestLog.OFF)),
        (
            "REGISTRY_REQUEST_LOG_SLOW",
            "3s",
            "request_log",
            RequestLogSettings(slow=timedelta(seconds=3)),
        ),
        ("REGISTRY_RATE_LIMITS", "off", "rate_limits", None),
        ("REGISTRY_RATE_LIMIT_READ", "60", "rate_limits", RateLimits(read=60)),
        ("REGISTRY_RATE_LIMIT_WRITE_TOTAL", " 0 ", "rate_limits", RateLimits(write_total=0)),
    ],
)
def test_each_setting_sets_one_thing(name: str, value: str, field: str, expected: object) -> None:
    settings, default = read(**{name: value}), read()
    assert getattr(settings, field) == expected
    for other in fields(Settings):
        if other.name != field:
            assert getattr(settings, other.name) == getattr(default, other.name)


def test_the_operators_login_servers_win_over_the_platforms() -> None:
    settings = read(REGISTRY_LOGIN_SERVERS="a.example", WEBSITE_HOSTNAME="b.example")
    assert settings.login_servers == ("a.example",)


@pytest.mark.parametrize("text", ["", "  "])
@pytest.mark.parametrize(
    "name",
    [
        "REGISTRY_ADMIN_USER_ENABLED",
        "REGISTRY_BLOB_REDIRECT",
        "REGISTRY_DELETE_ENABLED",
        "REGISTRY_GC_GRACE",
        "REGISTRY_UPLOAD_EXPIRY",
        "REGISTRY_CACHE_TTL",
        "REGISTRY_RATE_LIMITS",
        "REGISTRY_RATE_LIMIT_READ",
        "REGISTRY_REQUEST_LOG",
        "REGISTRY_REQUEST_LOG_SLOW",
        "RegistryStorage",
        "RegistryStorage__credential",
        "REGION_NAME",
    ],
)
def test_an_empty_setting_is_as_good_as_none(name: str, text: str) -> None:
    assert read(**{name: text}) == read()


@pytest.mark.parametrize(
    ("text", "on"),
    [(word, True) for word in ("on", "true", "1", "yes", "enabled", " ON ", "True")]
    + [(word, False) for word in ("off", "false", "0", "no", "disabled", "OFF")],
)
def test_a_switch_knows_the_usual_words(text: str, on: bool) -> None:
    assert read(REGISTRY_DELETE_ENABLED=text).delete_enabled is on


SWITCHES = [
    "REGISTRY_ADMIN_USER_ENABLED",
    "REGISTRY_BLOB_REDIRECT",
    "REGISTRY_DELETE_ENABLED",
    "REGISTRY_RATE_LIMITS",
]
DURATIONS = [
    "REGISTRY_GC_GRACE",
    "REGISTRY_UPLOAD_EXPIRY",
    "REGISTRY_CACHE_TTL",
    "REGISTRY_REQUEST_LOG_SLOW",
]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in SWITCHES for value in ("maybe", "2", "onn", "o n")),
        *(
            (name, value)
            for name in DURATIONS
            for value in ("24", "h", "-1h", "1.5h", "1w", "1h30m", "1234567h", "1 h x")
        ),
        *(("REGISTRY_REQUEST_LOG", value) for value in ("on", "errors", "none", "failed,all")),
        *(
            ("REGISTRY_RATE_LIMIT_READ", value)
            for value in ("off", "-1", "1.5", "10/s", "1e3", "12345678", "1,000", "٣")
        ),
        *(
            ("REGISTRY_BACKUP_TO", value)
            for value in ("on", "account/container", "https://account.example", "ftp://a/b")
        ),
        ("REGISTRY_BACKUP_TO", "https://account.example/backups?sig=x"),
        ("REGISTRY_BACKUP_TO", "https://user:pass@account.example/backups"),
        ("REGISTRY_GC_GRACE", "59m"),
        ("REGISTRY_GC_GRACE", "0s"),
        *(
            ("REGISTRY_LOGIN_SERVERS", value)
            for value in ("https://x", "a b", "a/b", "a:b", "-a", "a:123456", 'a"b', "a\nb", "ok,é")
        ),
        ("RegistryStorage__blobServiceUri", "http://acct.blob.core.windows.net"),
        ("RegistryStorage__tableServiceUri", "acct.table.core.windows.net"),
        ("RegistryStorage__blobServiceUri", ""),
        ("RegistryStorage__tableServiceUri", " "),
        ("RegistryStorage__queueServiceUri", ""),
        ("RegistryStorage__queueServiceUri", "http://acct.queue.core.windows.net"),
        ("RegistryStorage__credential", "password"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(name: str, value: str) -> None:
    assert name in refusal(**{name: value})


def test_without_storage_the_app_does_not_start() -> None:
    with pytest.raises(SettingsError, match="RegistryStorage"):
        Settings.from_environment({})


def test_the_processes_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RegistryStorage", "UseDevelopmentStorage=true")
    monkeypatch.setenv("REGISTRY_CACHE_TTL", "7s")
    assert Settings.from_environment().cache_ttl == timedelta(seconds=7)


def test_a_connection_string_is_taken_as_it_is() -> None:
    settings = Settings.from_environment({"RegistryStorage": f" {CONNECTION} "})
    assert settings.storage.connection_string == CONNECTION
    assert (settings.storage.blob_uri, settings.storage.table_uri) == ("", "")


@pytest.mark.parametrize(
    "text",
    ["UseDevelopmentStorage=true", "usedevelopmentstorage=TRUE;", "UseDevelopmentStorage=true;;"],
)
def test_the_shorthand_for_development_storage_is_spelt_out(text: str) -> None:
    connection = Settings.from_environment({"RegistryStorage": text}).storage.connection_string
    parts = dict(part.split("=", 1) for part in connection.split(";"))
    assert parts["AccountName"] == "devstoreaccount1"
    assert {name: parts[f"{name}Endpoint"] for name in ("Blob", "Queue", "Table")} == {
        "Blob": "http://127.0.0.1:10000/devstoreaccount1",
        "Queue": "http://127.0.0.1:10001/devstoreaccount1",
        "Table": "http://127.0.0.1:10002/devstoreaccount1",
    }


def test_an_identity_based_connection_has_addresses_and_an_identity() -> None:
    storage = read(
        RegistryStorage__blobServiceUri="https://acct.blob.core.windows.net/",
        RegistryStorage__credential="ManagedIdentity",
        RegistryStorage__clientId=" 1234 ",
    ).storage
    assert storage.blob_uri == "https://acct.blob.core.windows.net"
    assert storage.table_uri == "https://acct.table.core.windows.net"
    assert storage.queue_uri == "https://acct.queue.core.windows.net"
    assert (storage.credential, storage.client_id) == ("managedidentity", "1234")
    assert storage.connection_string == ""


def test_an_account_name_stands_for_the_addresses_not_given() -> None:
    storage = Settings.from_environment(
        {
            "RegistryStorage__accountName": "acct",
            "RegistryStorage__tableServiceUri": "https://t.example",
        }
    ).storage
    assert storage.blob_uri == "https://acct.blob.core.windows.net"
    assert storage.table_uri == "https://t.example"
    assert storage.queue_uri == "https://acct.queue.core.windows.net"


ZONED = {
    "RegistryStorage__blobServiceUri": "https://acct.z12.blob.storage.azure.net",
    "RegistryStorage__tableServiceUri": "https://acct.z12.table.storage.azure.net",
    "RegistryStorage__queueServiceUri": "https://acct.z12.queue.storage.azure.net",
}
OWN_DOMAIN = {
    "RegistryStorage__blobServiceUri": "https://blobs.example.com",
    "RegistryStorage__tableServiceUri": "https://acct.table.core.windows.net",
    "RegistryStorage__queueServiceUri": "https://acct.queue.core.windows.net",
}


@pytest.mark.parametrize(
    "environment",
    [
        URIS,
        ZONED,
        {"RegistryStorage__accountName": "acct"},
        OWN_DOMAIN | {"RegistryStorage__accountName": "acct"},
        URIS | {"RegistryStorage__accountName": "acct"},
        {"RegistryStorage": CONNECTION},
        {"RegistryStorage": f"{CONNECTION};BlobEndpoint=https://blobs.example.com/"},
        {"RegistryStorage": f"{CONNECTION};BlobEndpoint=https://acct.z1.blob.storage.azure.net"},
        {"RegistryStorage": f"{CONNECTION};BlobEndpoint=http://[::1]:10000/acct"},
    ],
)
def test_the_account_that_signatures_are_for_is_told_by_an_address_or_by_its_name(
    environment: dict[str, str],
) -> None:
    assert Settings.from_environment(environment).storage.account == "acct"


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        (OWN_DOMAIN, "RegistryStorage__accountName"),
        (
            OWN_DOMAIN | {"RegistryStorage__blobServiceUri": "https://acct.example.com"},
            "RegistryStorage__accountName",
        ),
        (URIS | {"RegistryStorage__accountName": "other"}, "RegistryStorage"),
        (
            URIS | {"RegistryStorage__tableServiceUri": "https://other.table.core.windows.net"},
            "RegistryStorage",
        ),
        (
            ZONED | {"RegistryStorage__tableServiceUri": "https://other.table.core.windows.net"},
            "RegistryStorage",
        ),
        (
            {"RegistryStorage": f"{CONNECTION};BlobEndpoint=https://other.blob.core.windows.net"},
            "RegistryStorage",
        ),
        (
            {"RegistryStorage": f"{CONNECTION};TableEndpoint=http://127.0.0.1:1/other"},
            "RegistryStorage",
        ),
        (
            {"RegistryStorage": f"{CONNECTION};QueueEndpoint=https://other.queue.core.windows.net"},
            "RegistryStorage",
        ),
    ],
)
def test_what_would_be_signed_for_the_wrong_account_is_refused_at_start(
    environment: dict[str, str], name: str
) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: "):
        Settings.from_environment(environment)


@pytest.mark.parametrize(
    ("more", "passwords"),
    [
        ({}, (PASSWORD,)),
        ({"REGISTRY_ADMIN_PASSWORD2": PASSWORD2}, (PASSWORD, PASSWORD2)),
        (
            {"REGISTRY_ADMIN_PASSWORD": "", "REGISTRY_ADMIN_PASSWORD2": PASSWORD2},
            (PASSWORD2,),
        ),
    ],
)
def test_the_admin_account_has_one_password_or_two(
    more: dict[str, str], passwords: tuple[str, ...]
) -> None:
    assert read(**ADMIN | more).admin == AdminSettings("admin", passwords)


def test_while_the_admin_account_is_off_its_other_settings_are_not_looked_at() -> None:
    assert read(**ADMIN | {"REGISTRY_ADMIN_USER_ENABLED": "off"}).admin is None
    assert read(REGISTRY_ADMIN_PASSWORD="short").admin is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REGISTRY_ADMIN_USERNAME", ""),
        ("REGISTRY_ADMIN_USERNAME", " "),
        ("REGISTRY_ADMIN_USERNAME", "a:b"),
        ("REGISTRY_ADMIN_PASSWORD", ""),
        *(
            (name, value)
            for name in ("REGISTRY_ADMIN_PASSWORD", "REGISTRY_ADMIN_PASSWORD2")
            for value in (
                PASSWORD[:15],
                "change-me-change-me",
                "ChangeMe-vR7kQ2tW9xZ4",
                "my-Password-is-vR7kQ2",
                "a-sample-vR7kQ2tW9xZ4",
                "vR7kQ2tW9xZ4-example-",
                "replace-this-vR7kQ2tW",
                "<vR7kQ2tW9xZ4bN6hJ3m>",
                "vR7kQ2aaaaaa9xZ4bN6hJ",
                "vR7kQ2tW1234569xZ4bN6",
                "the-secret-vR7kQ2tW9x",
                "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/x/)",
            )
        ),
    ],
)
def test_an_admin_account_that_is_not_safe_is_refused_by_the_settings_name(
    name: str, value: str
) -> None:
    text = refusal(**ADMIN | {name: value})
    assert text.startswith(f"{name}:")
    assert len(value) < 4 or value not in text


def test_passwords_are_in_no_representation() -> None:
    settings: Any = read(**ADMIN, REGISTRY_ADMIN_PASSWORD2=PASSWORD2)
    shown = f"{settings!r}{settings}{settings.admin!r}{settings.admin}"
    assert PASSWORD not in shown
    assert PASSWORD2 not in shown
    assert "admin" in shown


def test_the_account_key_is_in_no_representation() -> None:
    settings = Settings.from_environment({"RegistryStorage": CONNECTION})
    assert "c2VjcmV0" not in f"{settings!r}{settings}{settings.storage!r}{settings.storage}"


def test_a_random_password_is_practically_never_refused() -> None:
    """The same ten thousand each time: of others, one run in a thousand would have one."""
    for number in range(10_000):
        random = hashlib.sha256(str(number).encode()).digest()
        password = base64.urlsafe_b64encode(random).decode().rstrip("=")
        read(**ADMIN | {"REGISTRY_ADMIN_PASSWORD": password})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REGISTRY_LOGIN_SERVERS", ","),
        ("REGISTRY_LOGIN_SERVERS", "registry..example"),
        ("REGISTRY_LOGIN_SERVERS", "-registry.example"),
        ("REGISTRY_LOGIN_SERVERS", "registry.example:0"),
        ("REGISTRY_LOGIN_SERVERS", "registry.example:65536"),
        ("REGISTRY_LOGIN_SERVERS", "https://registry.example"),
        ("REGISTRY_LOGIN_SERVERS", "[::1"),
        ("REGISTRY_PEERS", "https://registry.example"),
        ("REGISTRY_PEERS", "registry.example/path"),
        ("REGISTRY_UPLOAD_EXPIRY", "0s"),
        ("RegistryStorage", "AccountName=;AccountKey=a"),
        ("RegistryStorage", "AccountName=a;AccountKey="),
        ("REGISTRY_LOGIN_SERVERS", "registry.example:\u0663"),
        ("RegistryStorage", "garbage"),
        ("RegistryStorage", "AccountName=a"),
        ("RegistryStorage", "AccountName=a;AccountKey=not the whole k"),
        ("RegistryStorage", "AccountName=a;AccountKey=a2V"),
    ],
)
def test_what_would_fail_at_the_first_request_is_refused_at_start(name: str, value: str) -> None:
    environment = {"RegistryStorage": "UseDevelopmentStorage=true", name: value}
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment(environment)


TENANT = "11111111-2222-3333-4444-555555555555"


def test_sign_in_by_entra_id_is_off_until_a_tenant_is_named() -> None:
    assert read().entra is None
    assert read(REGISTRY_ENTRA_AUDIENCES="api://registry").entra is None
    entra = read(REGISTRY_ENTRA_TENANT_ID=f" {TENANT.upper()} ").entra
    assert entra is not None
    assert entra.tenant_id == TENANT
    assert entra.audiences[0] == "https://containerregistry.azure.net"
    assert entra.authority == "https://login.microsoftonline.com"
    assert entra.own_audiences == frozenset()


def test_an_app_registration_of_ones_own_is_an_audience_whose_roles_count() -> None:
    entra = read(
        REGISTRY_ENTRA_TENANT_ID=TENANT,
        REGISTRY_ENTRA_AUDIENCES="https://containerregistry.azure.net, api://registry",
        REGISTRY_ENTRA_AUTHORITY="https://login.microsoftonline.us/",
    ).entra
    assert entra is not None
    assert entra.own_audiences == {"api://registry"}
    assert entra.authority == "https://login.microsoftonline.us"


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        ("", []),
        ("off", []),
        ("on", ["*"]),
        ("TRUE", ["*"]),
        ("docs", ["docs"]),
        (" public/* , docs,", ["public/*", "docs"]),
        ("*", ["*"]),
    ],
)
def test_what_anybody_may_pull_is_nothing_all_or_patterns(text: str, patterns: list[str]) -> None:
    found = read(REGISTRY_ANONYMOUS_PULL=text).anonymous_pull
    assert [pattern.text for pattern in found] == patterns


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REGISTRY_ENTRA_TENANT_ID", "contoso.onmicrosoft.com"),
        ("REGISTRY_ANONYMOUS_PULL", "public/**"),
        ("REGISTRY_ANONYMOUS_PULL", "a*"),
        ("REGISTRY_TRUSTED_PROXIES", "-1"),
        ("REGISTRY_TRUSTED_PROXIES", "many"),
        ("REGISTRY_CLIENT_ADDRESS_HEADER", "X-Azure-ClientIP: 192.0.2.1"),
        ("REGISTRY_CLIENT_ADDRESS_HEADER", "two headers"),
        ("REGISTRY_CORS_ORIGINS", "*"),
        ("REGISTRY_CORS_ORIGINS", "pages.example.com"),
        ("REGISTRY_CORS_ORIGINS", "https://pages.example.com/ui"),
        ("REGISTRY_CORS_ORIGINS", "ftp://pages.example.com"),
        ("REGISTRY_UI", "perhaps"),
        ("REGISTRY_UI_CLIENT_ID", "slipway"),
        ("REGISTRY_UI_CLIENT_ID", TENANT),  # Without Entra ID nobody could sign in by it.
        ("REGISTRY_METRICS", "on"),
        ("REGISTRY_METRICS", "http://westeurope.monitoring.azure.com/subscriptions/S/metrics"),
        ("REGISTRY_METRICS", "http://localhost.example.com/metrics"),
        ("REGISTRY_METRICS", "https://westeurope.monitoring.azure.com/subscriptions/S"),
    ],
)
def test_a_setting_of_sign_in_that_is_wrong_is_named(name: str, value: str) -> None:
    assert refusal(**{name: value}).startswith(f"{name}: ")


def test_the_page_is_there_unless_it_is_switched_off_and_may_have_an_application() -> None:
    assert read().page == PageSettings("")
    for off in (read(REGISTRY_UI="off"), read(REGISTRY_UI="off", REGISTRY_UI_CLIENT_ID=TENANT)):
        assert off.page is None
    named = read(REGISTRY_ENTRA_TENANT_ID=TENANT, REGISTRY_UI_CLIENT_ID=f" {TENANT.upper()} ")
    assert named.page == PageSettings(TENANT)


def test_the_page_is_looked_for_beside_the_app() -> None:
    assert PageSettings().folder == Path(__file__).parents[3] / "ui" / "dist"


def test_an_authority_without_tls_is_refused() -> None:
    said = refusal(REGISTRY_ENTRA_TENANT_ID=TENANT, REGISTRY_ENTRA_AUTHORITY="http://localhost")
    assert said.startswith("REGISTRY_ENTRA_AUTHORITY: ")


@pytest.mark.parametrize("text", ["", " ", "off", "OFF", "false", "0", "no", "disabled"])
def test_nothing_is_kept_warm_unless_a_schedule_says_when(text: str) -> None:
    assert read(REGISTRY_KEEP_WARM=text).keep_warm is None


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        ({"WEBSITE_HOSTNAME": "app.azurewebsites.net"}, "app.azurewebsites.net"),
        ({}, "r.example.com"),
    ],
)
def test_the_app_asks_itself_by_its_own_host_name_and_not_by_one_of_all_regions(
    environment: dict[str, str], host: str
) -> None:
    settings = read(
        REGISTRY_KEEP_WARM=" 0  */4 6-17 * * 1-5 ",
        REGISTRY_LOGIN_SERVERS="r.example.com,app.azurewebsites.net",
        **environment,
    )
    assert settings.keep_warm == KeepWarmSettings("0 */4 6-17 * * 1-5", host)


@pytest.mark.parametrize("text", ["on", "*/4 * * * *", "* * * * * *", "0 */4 25 * * *", "4m"])
def test_a_schedule_that_is_none_is_refused_with_an_example(text: str) -> None:
    told = refusal(REGISTRY_KEEP_WARM=text)
    assert told.startswith("REGISTRY_KEEP_WARM: ")
    assert "0 */4 6-17 * * 1-5" in told


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("short", "it has 5 characters and needs at least 16"),
        ("my-PassWord-is-this-one", "it has 'changeme'"),
        ("<put-yours-in-here-please>", "angle brackets"),
        ("aaaaaa-vR7-kQ2_tW9-xZ4", "six times in a row"),
        ("vR7-123456-kQ2_tW9-xZ4", "'123456'"),
    ],
)
def test_the_refusal_of_a_password_says_which_rule_it_broke_and_not_the_password(
    password: str, rule: str
) -> None:
    said = refusal(
        REGISTRY_ADMIN_USER_ENABLED="on",
        REGISTRY_ADMIN_USERNAME="admin",
        REGISTRY_ADMIN_PASSWORD=password,
    )
    assert rule in said
    assert password not in said
