"""How the host serves its socket."""

from pathlib import Path

from devhost.host.app import load_app
from devhost.host.asgi import FunctionsHost
from devhost.host.listeners import Listeners
from devhost.host.server import HostServer
from devhost.triggers.worker import Worker

LONGEST_IDLE_CONNECTION = 90
"""For so many seconds Go's clients, docker among them, keep a connection for later."""


def test_an_idle_connection_outlives_what_clients_keep_one_for(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(
        "import azure.functions as func\napp = func.FunctionApp()\n"
    )
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    server = HostServer(
        FunctionsHost(load_app(tmp_path), Worker()),
        Listeners([]),
        certificate=None,
        key=None,
        on_ready=lambda: None,
        stop_when=lambda: False,
    )
    assert server.config.timeout_keep_alive > LONGEST_IDLE_CONNECTION
