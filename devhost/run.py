"""One run of the development host: storage, settings, app and server, all stopped at the end."""

import fcntl
import logging
import shlex
import signal
import socket
import ssl
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import certifi

from devhost import logs, settings
from devhost.banner import welcome
from devhost.errors import AzuriteError, DevhostError, PortInUseError
from devhost.host.app import FunctionApp, load_app, read_local_settings
from devhost.host.asgi import FunctionsHost
from devhost.host.listeners import Listeners, create_listeners
from devhost.host.server import HostServer
from devhost.processes.azurite import Azurite
from devhost.processes.preflight import check_settings
from devhost.processes.stopping import LastResort, stop_when_orphaned
from devhost.settings import Options
from devhost.sockets import bind, is_free, reserve
from devhost.triggers.worker import Worker

_log = logging.getLogger("devhost")

_AZURITE_PORTS = {"blob": 10000, "queue": 10001, "table": 10002}


def run(options: Options, environment: MutableMapping[str, str]) -> None:
    """Serve the app of `options` until a signal, or the end of the parent process, says stop.

    `environment` is the process's own; it is completed for the app.

    Raises:
        DevhostError: something is missing, taken or wrong; the message says what to do.
    """
    logs.configure(environment)
    with ExitStack() as stack:
        stack.enter_context(_signals_raise())
        stop_when_orphaned()
        # First of all, since it is what most often fails, and fails at once.
        listener = stack.enter_context(bind(options.host, options.port))
        port: int = listener.getsockname()[1]
        given_password = "REGISTRY_ADMIN_PASSWORD" in environment
        settings.apply_local_settings(environment, read_local_settings(options.app_dir))
        check_settings(options.app_dir, environment)
        for missing in settings.check_names(environment, options):
            _log.warning("%s", missing)
        azurite: Azurite | None = None
        if settings.needs_azurite(environment):
            azurite = stack.enter_context(_start_azurite(options, stack))
            settings.apply_storage(environment, azurite.connection_string)
            if environment.get("REGISTRY_CORS_ORIGINS"):
                azurite.let_pages_read()
        with _told(options.data_dir):
            if options.certificate:
                _trust(environment, options.certificate, options.data_dir)
            settings.apply_defaults(environment, options, port)
        app = load_app(options.app_dir)
        text = welcome(
            options,
            environment,
            port,
            app,
            password_in_environment=given_password,
            storage=_noted(azurite, environment, options.data_dir) if azurite else None,
        )
        # Functions see it as the address at which the host has called them.
        worker_socket = stack.enter_context(reserve())
        _serve(options, environment, app, listener, text, azurite, worker_socket)
        if azurite is not None and not azurite.is_running:
            raise AzuriteError(f"Azurite stopped by itself; its last messages are in {azurite.log}")


def _noted(azurite: Azurite, environment: Mapping[str, str], data_dir: Path) -> Path:
    """A file for shells, which tells the command line where storage is, and the registry."""
    file = data_dir / "storage.sh"
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    known = {settings.STORAGE: azurite.connection_string}
    if servers := environment.get("REGISTRY_LOGIN_SERVERS"):
        known["REGISTRY_LOGIN_SERVERS"] = servers
    file.write_text("".join(f"export {name}={shlex.quote(known[name])}\n" for name in known))
    return file


def _serve(
    options: Options,
    environment: MutableMapping[str, str],
    app: FunctionApp,
    listener: socket.socket,
    text: str,
    azurite: Azurite | None,
    worker_socket: socket.socket,
) -> None:
    last_resort = LastResort(azurite.stop if azurite else lambda: None)

    def stop_when() -> bool:
        if azurite is None or azurite.is_running:
            return False
        last_resort.arm()
        return True

    worker = Worker()
    worker_port: int = worker_socket.getsockname()[1]
    server = HostServer(
        FunctionsHost(app, worker, settings.manners(environment, worker_port)),
        Listeners(create_listeners(app, worker, options.data_dir)),
        certificate=options.certificate,
        key=options.key,
        on_ready=lambda: print(text, flush=True),
        stop_when=stop_when,
    )

    def stop(_number: int, _frame: object) -> None:
        last_resort.arm()
        # The second Ctrl-C does not wait for requests in progress.
        server.force_exit = server.should_exit
        server.should_exit = True

    for number in _SIGNALS:
        signal.signal(number, stop)
    server.run(sockets=[listener])
    last_resort.disarm()


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Have the signals that mean stop unwind the stack, so that all that was started is stopped."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start_azurite(options: Options, stack: ExitStack) -> Azurite:
    location = (options.data_dir / "azurite").resolve()
    with _told(options.data_dir):
        location.mkdir(parents=True, exist_ok=True)
        (location / ".lock").touch()
    stack.enter_context(_only_user(location))
    try:
        return _azurite(location, options, usual=True)
    except AzuriteError:
        # Another host, started at the same time, was faster to take a usual port.
        if all(map(is_free, _AZURITE_PORTS.values())):
            raise
        return _azurite(location, options, usual=False)


def _azurite(location: Path, options: Options, *, usual: bool) -> Azurite:
    """Azurite on the ports that were asked for; else, unless taken, on its `usual` ones, or any."""
    chosen = {"blob": options.blob_port, "queue": options.queue_port, "table": options.table_port}
    ports: dict[str, int] = {}
    for service, port in chosen.items():
        if port is None:
            # A host on a port of the system's choice is one of several, as in tests: it leaves the
            # usual ports alone.
            own = _AZURITE_PORTS[service]
            ports[service] = own if usual and options.port and is_free(own) else 0
        elif port and not is_free(port):
            name = f"AZURITE_{service.upper()}_PORT"
            raise PortInUseError(
                f"{name}: port {port} is in use. Choose another, or do not set {name}."
            )
        else:
            ports[service] = port
    return Azurite(
        location,
        blob_port=ports["blob"],
        queue_port=ports["queue"],
        table_port=ports["table"],
        certificate=options.certificate,
        key=options.key,
    )


@contextmanager
def _told(data_dir: Path) -> Iterator[None]:
    """Say where data cannot be kept, and why."""
    try:
        yield
    except OSError as error:
        raise DevhostError(
            f"cannot keep data in {data_dir}: {error.strerror}. "
            "Choose another directory: DATA_DIR=/tmp/registry make run"
        ) from None


@contextmanager
def _only_user(location: Path) -> Iterator[None]:
    """Keep a second Azurite away from the same files."""
    with (location / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DevhostError(
                f"another development host already uses {location}. "
                "Stop it, or choose another directory: DATA_DIR=.data2 make run"
            ) from None
        yield


def _trust(environment: MutableMapping[str, str], certificate: Path, data_dir: Path) -> None:
    """Make the storage clients of the app accept the certificate, which is now Azurite's as well.

    Must come before the app is imported: its HTTP libraries look at the environment only once.
    """
    trusted = (
        environment.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or certifi.where()
    )
    data_dir.mkdir(parents=True, exist_ok=True)
    bundle = (data_dir / "trusted-certificates.pem").resolve()
    bundle.write_bytes(Path(trusted).read_bytes().rstrip() + b"\n" + certificate.read_bytes())
    environment["SSL_CERT_FILE"] = str(bundle)
    environment["REQUESTS_CA_BUNDLE"] = str(bundle)
