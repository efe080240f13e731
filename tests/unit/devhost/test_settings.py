from datetime import UTC, datetime
from pathlib import Path

import pytest

from devhost import settings
from devhost.banner import welcome
from devhost.errors import CertificateError, DevhostError
from devhost.host.app import FunctionApp
from devhost.host.routing import RouteTable
from devhost.settings import Options
from devhost.triggers.ncrontab import Schedule
from devhost.triggers.queues import QueueFunction
from devhost.triggers.timers import TimerFunction
from devhost.triggers.worker import Function

NO_ROUTES = RouteTable([])


def options(tmp_path: Path, **environment: str) -> Options:
    return Options.read({"DATA_DIR": str(tmp_path / "data"), **environment}, app_dir=tmp_path)


def test_defaults_are_the_documented_ones(tmp_path: Path) -> None:
    read = Options.read({}, app_dir=tmp_path)
    assert (read.host, read.port, read.data_dir) == ("127.0.0.1", 7071, Path(".data"))
    assert (read.blob_port, read.queue_port, read.table_port) == (None, None, None)
    assert read.scheme == "http"


def test_the_command_line_wins_over_the_environment(tmp_path: Path) -> None:
    read = Options.read({"PORT": "1", "HOST": "a"}, app_dir=tmp_path, host="b", port=0)
    assert (read.host, read.port) == ("b", 0)


@pytest.mark.parametrize("value", ["x", "-1", "65536", "7071.5"])
@pytest.mark.parametrize("name", ["PORT", "AZURITE_BLOB_PORT"])
def test_a_port_that_is_none_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(DevhostError, match=name):
        options(tmp_path, **{name: value})


def test_half_of_a_tls_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="TLS_KEY"):
        options(tmp_path, TLS_CERT="x")


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"nowhere\.crt"):
        options(tmp_path, TLS_CERT="nowhere.crt", TLS_KEY="nowhere.key")


def test_the_environment_wins_over_local_settings_and_these_over_defaults(tmp_path: Path) -> None:
    environment = {"REGISTRY_ADMIN_USERNAME": "from-environment"}
    local = {"REGISTRY_ADMIN_USERNAME": "from-file", "REGISTRY_LOGIN_SERVERS": "from-file"}
    settings.apply_local_settings(environment, local)
    settings.apply_defaults(environment, options(tmp_path), 7071)
    assert environment["REGISTRY_ADMIN_USERNAME"] == "from-environment"
    assert environment["REGISTRY_LOGIN_SERVERS"] == "from-file"
    assert environment["REGISTRY_ADMIN_USER_ENABLED"] == "true"


def test_the_default_login_servers_have_the_port_in_use(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    settings.apply_defaults(environment, options(tmp_path), 5001)
    assert environment["REGISTRY_LOGIN_SERVERS"] == "localhost:5001,127.0.0.1:5001"


def test_a_host_open_to_others_does_not_redirect_them_to_the_loopback_interface(
    tmp_path: Path,
) -> None:
    environment: dict[str, str] = {}
    settings.apply_defaults(environment, options(tmp_path, HOST="192.0.2.1"), 5001)
    assert environment["REGISTRY_BLOB_REDIRECT"] == "off"
    servers = environment["REGISTRY_LOGIN_SERVERS"].split(",")
    assert servers == ["192.0.2.1:5001", "localhost:5001", "127.0.0.1:5001"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_host_open_to_others_is_told_the_name_that_they_are_to_sign_in_at(
    tmp_path: Path, host: str
) -> None:
    opened = options(tmp_path, HOST=host)
    with pytest.raises(DevhostError, match="REGISTRY_LOGIN_SERVERS"):
        list(settings.check_names({}, opened))
    assert "TLS_CERT" in " ".join(
        settings.check_names({"REGISTRY_LOGIN_SERVERS": "b:7071"}, opened)
    )


@pytest.mark.parametrize(
    ("host", "warned"), [("127.0.0.1", False), ("localhost", False), ("192.0.2.1", True)]
)
def test_whoever_serves_others_without_tls_is_told(tmp_path: Path, host: str, warned: bool) -> None:
    said = " ".join(settings.check_names({}, options(tmp_path, HOST=host)))
    assert ("TLS_CERT" in said) is warned
    file = tmp_path / "file"
    file.touch()
    secure = options(tmp_path, HOST=host, TLS_CERT=str(file), TLS_KEY=str(file))
    assert not list(settings.check_names({}, secure))


def test_azurite_is_started_unless_the_environment_names_a_storage() -> None:
    assert settings.needs_azurite({})
    assert not settings.needs_azurite({"RegistryStorage": "x"})
    assert not settings.needs_azurite({"RegistryStorage__blobServiceUri": "x"})


def test_development_storage_in_local_settings_means_our_own_azurite() -> None:
    environment: dict[str, str] = {}
    settings.apply_local_settings(environment, {"RegistryStorage": "UseDevelopmentStorage=true"})
    assert settings.needs_azurite(environment)


def test_another_storage_in_local_settings_is_used() -> None:
    environment: dict[str, str] = {}
    settings.apply_local_settings(environment, {"RegistryStorage": "AccountName=mine"})
    assert not settings.needs_azurite(environment)


def test_the_password_is_made_once_is_long_and_is_the_owners(tmp_path: Path) -> None:
    password = settings.admin_password(tmp_path / "data")
    assert len(password) >= 32
    assert settings.admin_password(tmp_path / "data") == password
    assert settings.password_file(tmp_path / "data").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["admin-password"]


def test_a_password_is_never_taken_for_an_option(tmp_path: Path) -> None:
    """Of those that the system draws, one in 64 begins with a dash."""
    made = {settings.admin_password(tmp_path / str(number)) for number in range(2000)}
    assert len(made) == 2000
    assert not any(each.startswith("-") for each in made)


def test_no_password_is_made_when_one_is_given(tmp_path: Path) -> None:
    environment = {"REGISTRY_ADMIN_PASSWORD": "given"}
    settings.apply_defaults(environment, options(tmp_path), 7071)
    assert environment["REGISTRY_ADMIN_PASSWORD"] == "given"
    assert not (tmp_path / "data").exists()


def test_an_empty_password_file_is_not_taken_for_a_password(tmp_path: Path) -> None:
    settings.password_file(tmp_path).touch()
    with pytest.raises(DevhostError, match="empty"):
        settings.admin_password(tmp_path)


def test_the_body_limit_must_be_a_number() -> None:
    assert settings.manners({}, 1).body_limit == 2 * 1024**3
    assert settings.manners({"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "5"}, 1).body_limit == 5
    with pytest.raises(DevhostError, match="FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"):
        settings.manners({"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "5MB"}, 1)


def test_the_hosts_own_headers_are_what_functions_see_unless_they_are_to_be_kept() -> None:
    assert not settings.manners({}, 1).keeps_headers
    assert settings.manners({"FORWARDED_HEADERS": "kept"}, 1).keeps_headers
    with pytest.raises(DevhostError, match="FORWARDED_HEADERS must be own or kept"):
        settings.manners({"FORWARDED_HEADERS": "both"}, 1)


def test_the_home_page_is_the_hosts_where_it_is_not_disabled_as_for_the_registry() -> None:
    assert settings.manners({}, 1).has_home_page
    assert settings.manners({"AzureWebJobsDisableHomepage": "false"}, 1).has_home_page
    environment: dict[str, str] = {"REGISTRY_ADMIN_PASSWORD": "x"}
    settings.apply_defaults(environment, Options(Path()), 7071)
    assert not settings.manners(environment, 1).has_home_page


@pytest.mark.parametrize("given", [True, False])
def test_the_welcome_never_shows_a_password(tmp_path: Path, *, given: bool) -> None:
    environment = {"REGISTRY_ADMIN_PASSWORD": "given-in-the-environment"} if given else {}
    settings.apply_defaults(environment, options(tmp_path), 7071)
    text = welcome(
        options(tmp_path),
        environment,
        7071,
        FunctionApp({}, NO_ROUTES),
        password_in_environment=given,
        storage=Path(".data/storage.sh"),
    )
    assert environment["REGISTRY_ADMIN_PASSWORD"] not in text
    expected = "printenv REGISTRY_ADMIN_PASSWORD |" if given else "admin-password"
    assert expected in text
    assert "Tokens and roles: . .data/storage.sh && ./slipway --help" in text
    assert max(map(len, text.splitlines())) < 160


def test_the_welcome_ends_with_the_line_for_programs(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    settings.apply_defaults(environment, options(tmp_path), 7071)
    text = welcome(
        options(tmp_path),
        environment,
        7071,
        FunctionApp({}, NO_ROUTES),
        password_in_environment=False,
        storage=None,
    )
    assert text.splitlines()[-1] == "devhost ready http://127.0.0.1:7071"
    assert "no emulator was started" in text


def test_the_welcome_tells_of_every_function_that_no_request_calls(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    settings.apply_defaults(environment, options(tmp_path), 7071)

    def function(name: str) -> Function:
        return Function(name, print, "argument")

    yearly = Schedule.parse("0 0 3 1 1 *")
    app = FunctionApp(
        {},
        NO_ROUTES,
        timers=(
            TimerFunction(function("yearly"), yearly, run_on_startup=False, use_monitor=True),
            TimerFunction(
                function("idle"),
                Schedule.parse("0 0 0 30 2 *"),
                run_on_startup=False,
                use_monitor=True,
            ),
        ),
        queues=(QueueFunction(function("collect"), "garbage", ""),),
        not_run=("arrived (blobTrigger)",),
        disabled=("nap",),
    )
    text = welcome(
        options(tmp_path), environment, 7071, app, password_in_environment=False, storage=None
    )
    following = f"{yearly.next_after(datetime.now(UTC)):%Y}-01-01 03:00:00 UTC"
    assert f"Timer yearly (0 0 3 1 1 *): next {following}\n" in text
    assert "Timer idle (0 0 0 30 2 *): next never\n" in text
    assert "Queue garbage: collect\n" in text
    assert "Not run here, because their triggers are not supported: arrived (blobTrigger)\n" in text
    assert "Switched off by AzureWebJobs.<name>.Disabled: nap\n" in text
