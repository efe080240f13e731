"""What `python -m devhost` is told by its environment, and the settings it gives to the app.

For the app's settings, the environment wins over local.settings.json, which wins over the defaults
made here.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from devhost.errors import CertificateError, DevhostError
from devhost.host.exchange import DEFAULT_BODY_LIMIT, Manners

DEFAULT_PORT = 7071
STORAGE = "RegistryStorage"
HOST_STORAGE = "AzureWebJobsStorage"
DEVELOPMENT_STORAGE = "UseDevelopmentStorage=true"
_FORWARDINGS = frozenset({"own", "kept"})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Options:
    """Where to listen and where to keep data.

    An Azurite port of None is Azurite's usual one, or another if that is taken.
    """

    app_dir: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    data_dir: Path = Path(".data")
    blob_port: int | None = None
    queue_port: int | None = None
    table_port: int | None = None
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def read(
        cls,
        environment: Mapping[str, str],
        *,
        app_dir: Path,
        host: str | None = None,
        port: int | None = None,
    ) -> "Options":
        """Read the options; `host` and `port`, from the command line, win over the environment.

        Raises:
            DevhostError: a value makes no sense.
        """
        certificate, key = environment.get("TLS_CERT"), environment.get("TLS_KEY")
        if bool(certificate) != bool(key):
            raise CertificateError("set both TLS_CERT and TLS_KEY, or neither")
        return cls(
            app_dir=app_dir,
            host=host or environment.get("HOST") or cls.host,
            port=port if port is not None else _port(environment, "PORT", DEFAULT_PORT),
            data_dir=Path(environment.get("DATA_DIR") or cls.data_dir),
            blob_port=_azurite_port(environment, "AZURITE_BLOB_PORT"),
            queue_port=_azurite_port(environment, "AZURITE_QUEUE_PORT"),
            table_port=_azurite_port(environment, "AZURITE_TABLE_PORT"),
            certificate=_file(certificate),
            key=_file(key),
        )

    @property
    def scheme(self) -> str:
        """`https` with a certificate, else `http`."""
        return "https" if self.certificate else "http"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the host."""
        return self.host in _LOOPBACK

    @property
    def is_wildcard(self) -> bool:
        """Whether it listens on every address, so that its own says nothing of how to call it."""
        return self.host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound


def manners(environment: Mapping[str, str], worker_port: int) -> Manners:
    """Return how requests are treated.

    Raises:
        DevhostError: a setting is wrong.
    """
    forwarding = environment.get("FORWARDED_HEADERS") or "own"
    if forwarding not in _FORWARDINGS:
        raise DevhostError(f"FORWARDED_HEADERS must be own or kept, not {forwarding!r}")
    without_page = environment.get("AzureWebJobsDisableHomepage") or "false"
    return Manners(
        body_limit=_integer(environment, "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", DEFAULT_BODY_LIMIT),
        keeps_headers=forwarding == "kept",
        worker_port=worker_port,
        has_home_page=without_page.lower() not in {"true", "1"},
    )


def apply_local_settings(environment: MutableMapping[str, str], local: Mapping[str, str]) -> None:
    """Add the values of local.settings.json that the environment does not have.

    Development storage is what this host starts and connects itself, so the file need not name it.
    """
    for name, value in local.items():
        if name in {STORAGE, HOST_STORAGE} and value == DEVELOPMENT_STORAGE:
            continue
        environment.setdefault(name, value)


def needs_azurite(environment: Mapping[str, str]) -> bool:
    """Tell whether the environment leaves open where the registry stores its content."""
    return not any(name == STORAGE or name.startswith(f"{STORAGE}__") for name in environment)


def check_names(environment: Mapping[str, str], options: Options) -> Iterator[str]:
    """Yield what other machines will miss that are to be served.

    Raises:
        DevhostError: they would be told to send their passwords to themselves.
    """
    if options.is_local:
        return
    if options.is_wildcard and not environment.get("REGISTRY_LOGIN_SERVERS"):
        raise DevhostError(
            f"HOST={options.host} serves other machines, which need a name for this one. "
            f"Set REGISTRY_LOGIN_SERVERS=<name>:{options.port}; see docs/team-server.md"
        )
    if options.certificate is None:
        yield (
            "Other machines can sign in only over https. Set TLS_CERT and TLS_KEY, or use a "
            "proxy with https; see docs/team-server.md"
        )


def apply_storage(environment: MutableMapping[str, str], connection_string: str) -> None:
    """Point the app, and what would be the host's own storage, at Azurite."""
    environment[STORAGE] = connection_string
    environment.setdefault(HOST_STORAGE, connection_string)


def apply_defaults(environment: MutableMapping[str, str], options: Options, port: int) -> None:
    """Give the app what it needs to serve on `port`, where nobody has chosen otherwise."""
    names = ["localhost", "127.0.0.1"]
    if not options.is_local:
        # What leads here from elsewhere comes first: it is told to whoever uses no known name.
        names.insert(0, f"[{options.host}]" if ":" in options.host else options.host)
    environment.setdefault("REGISTRY_LOGIN_SERVERS", ",".join(f"{name}:{port}" for name in names))
    # Here logs cost nothing, and somebody may be looking on.
    environment.setdefault("REGISTRY_REQUEST_LOG", "all")
    # As the templates do: `/` is the registry's then.
    environment.setdefault("AzureWebJobsDisableHomepage", "true")
    if not options.is_local:
        # Azurite stays on the loopback interface, where a redirect could not lead anyone else.
        environment.setdefault("REGISTRY_BLOB_REDIRECT", "off")
    apply_administrator(environment, lambda: admin_password(options.data_dir))


def apply_administrator(environment: MutableMapping[str, str], password: Callable[[], str]) -> None:
    """Give the app an administrator, with this `password` where none is given."""
    environment.setdefault("REGISTRY_ADMIN_USER_ENABLED", "true")
    environment.setdefault("REGISTRY_ADMIN_USERNAME", "admin")
    if "REGISTRY_ADMIN_PASSWORD" not in environment:
        environment["REGISTRY_ADMIN_PASSWORD"] = password()


def password_file(data_dir: Path) -> Path:
    """Return where the generated admin password is kept."""
    return data_dir / "admin-password"


def _random_password() -> str:
    # One that begins with a dash would be taken for an option, as after `az --password`.
    return secrets.token_urlsafe(32).lstrip("-")


def admin_password(data_dir: Path) -> str:
    """Return the admin password of this data directory, making one the first time.

    Raises:
        DevhostError: the file is there but empty.
    """
    file = password_file(data_dir)
    if not file.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        draft = data_dir / f".admin-password-{secrets.token_hex(8)}"
        draft.touch(mode=0o600)
        try:
            draft.write_text(_random_password() + "\n")
            # A link is made in one step and never over another: hosts that start together agree on
            # one password.
            file.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    password = file.read_text().strip()
    if not password:
        raise DevhostError(f"{file} is empty; delete it to get a new password")
    return password


def _file(value: str | None) -> Path | None:
    if not value:
        return None
    path = Path(value).resolve()
    if not path.is_file():
        raise CertificateError(
            f"the file {value} does not exist; `make cert` makes a certificate for local use"
        )
    return path


def _azurite_port(environment: Mapping[str, str], name: str) -> int | None:
    return _port(environment, name, 0) if environment.get(name) else None


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    port = _integer(environment, name, default)
    if not 0 <= port <= 65535:
        raise DevhostError(f"{name} must be a port number, not {port}")
    return port


def _integer(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    try:
        return int(text)
    except ValueError:
        raise DevhostError(f"{name} must be a number, not {text!r}") from None
