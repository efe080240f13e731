"""`python -m devhost` as a whole: what it starts, tells, keeps and stops."""

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from devhost import run
from devhost.cert import CertificateDirectory
from devhost.errors import DevhostError
from devhost.processes.process import HostProcess
from devhost.settings import Options
from devhost.sockets import is_free
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[3]


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: str, *, holds: bool = False, port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while is_listening(port) != holds:
        assert time.monotonic() < deadline, condition
        time.sleep(0.02)


def azurite_port(data_dir: Path) -> int:
    log = (data_dir / "azurite" / "azurite.log").read_text()
    found = re.search(r"Blob service is successfully listening at https?://\S+:(\d+)", log)
    assert found
    return int(found[1])


def test_the_first_start_makes_a_password_and_tells_where_but_not_what(
    tmp_path: Path, app_dir: Path
) -> None:
    data = tmp_path / "data"
    with HostProcess(app_dir, {"DATA_DIR": str(data)}) as host:
        password = (data / "admin-password").read_text().strip()
        assert len(password) >= 32
        assert (data / "admin-password").stat().st_mode & 0o777 == 0o600
        assert password not in host.output
        port = host.base_url.rpartition(":")[2]
        login = f"docker login localhost:{port} -u admin --password-stdin < {data}/admin-password"
        assert login in host.output
        noted = (data / "storage.sh").read_text()
        assert re.search(rf"^export REGISTRY_LOGIN_SERVERS=localhost:{port}\b", noted, re.MULTILINE)
        assert "Timer yearly (0 0 0 1 1 *): next " in host.output
        blob_port = azurite_port(data)
        assert is_listening(blob_port)
    assert not is_listening(blob_port)
    with HostProcess(app_dir, {"DATA_DIR": str(data), "RegistryStorage": "none"}):
        assert (data / "admin-password").read_text().strip() == password


def test_with_a_storage_given_no_azurite_is_started(tmp_path: Path, app_dir: Path) -> None:
    with HostProcess(app_dir, {"DATA_DIR": str(tmp_path), "RegistryStorage": "none"}):
        assert not (tmp_path / "azurite").exists()


def test_a_password_given_is_neither_kept_nor_shown(tmp_path: Path, app_dir: Path) -> None:
    environment = {"REGISTRY_ADMIN_PASSWORD": "a-password-of-the-environment-0123"}
    environment |= {"DATA_DIR": str(tmp_path), "RegistryStorage": "none"}
    with HostProcess(app_dir, environment) as host:
        assert environment["REGISTRY_ADMIN_PASSWORD"] not in host.output
        assert not (tmp_path / "admin-password").exists()


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child of its parent's death"
)
def test_azurite_ends_when_the_host_is_killed(tmp_path: Path, app_dir: Path) -> None:
    with HostProcess(app_dir, {"DATA_DIR": str(tmp_path)}) as host:
        port = azurite_port(tmp_path)
        host.kill()
        wait_until("Azurite goes", port=port)


def test_the_host_ends_when_its_parent_is_killed(tmp_path: Path, app_dir: Path) -> None:
    """The parent here knows nothing of devhost, as make does not."""
    program = """
import subprocess, sys
command = [sys.executable, "-m", "devhost", "--port", "0", "--app-dir", sys.argv[1]]
subprocess.run(command, check=False)
"""
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "RegistryStorage": "none"}
    command = [sys.executable, "-c", program, str(app_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment) as parent:
        assert parent.stdout is not None
        ready = next(line for line in parent.stdout if line.startswith(b"devhost ready "))
        port = int(ready.decode().rpartition(":")[2])
        assert is_listening(port)
        parent.send_signal(signal.SIGKILL)
        wait_until("the host goes", port=port)


def test_interrupting_the_host_stops_what_it_started(tmp_path: Path, app_dir: Path) -> None:
    with HostProcess(app_dir, {"DATA_DIR": str(tmp_path)}) as host:
        port = azurite_port(tmp_path)
        os.kill(host.pid, signal.SIGINT)
        wait_until("Azurite goes", port=port)


def test_a_port_in_use_is_named(app_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        with pytest.raises(DevhostError, match=rf"port {port}: .*in use(.|\n)*PORT="):
            HostProcess(app_dir, {"RegistryStorage": "none"}, port=port)


def test_an_azurite_port_that_was_asked_for_and_is_in_use_is_named(app_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        with pytest.raises(DevhostError, match=f"AZURITE_QUEUE_PORT: port {port} is in use"):
            HostProcess(app_dir, {"AZURITE_QUEUE_PORT": str(port)})


def test_a_usual_port_that_another_host_is_faster_to_take_is_left_to_it(
    tmp_path: Path, app_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(run, "_AZURITE_PORTS", {"blob": port, "queue": port, "table": port})
        free = iter([True, True, True])  # As it was when this host looked.
        monkeypatch.setattr("devhost.run.is_free", lambda port: next(free, None) or is_free(port))
        options = Options(app_dir=app_dir, port=7071, data_dir=tmp_path)
        with ExitStack() as stack:
            azurite = stack.enter_context(run._start_azurite(options, stack))
            assert port not in (azurite.blob_port, azurite.queue_port, azurite.table_port)


def test_two_hosts_do_not_share_the_data_of_one_azurite(tmp_path: Path, app_dir: Path) -> None:
    with (
        HostProcess(app_dir, {"DATA_DIR": str(tmp_path)}),
        pytest.raises(DevhostError, match="another development host"),
    ):
        HostProcess(app_dir, {"DATA_DIR": str(tmp_path)})


def test_with_a_certificate_it_serves_https_and_trusts_itself(
    tmp_path: Path, app_dir: Path
) -> None:
    certificates = CertificateDirectory(tmp_path / "certs")
    certificates.ensure()
    environment = {
        "TLS_CERT": str(certificates.certificate),
        "TLS_KEY": str(certificates.key),
        "DATA_DIR": str(tmp_path),
        "RegistryStorage": "none",
    }
    context = ssl.create_default_context(cafile=str(certificates.authority))
    with HostProcess(app_dir, environment) as host:
        assert host.base_url.startswith("https://")
        answer = httpx.get(f"{host.base_url}/echo", verify=context, timeout=PATIENCE).json()
        assert answer["scheme"] == "https"
        bundle = (tmp_path / "trusted-certificates.pem").read_text()
        assert certificates.authority.read_text() in bundle


def test_a_certificate_without_its_key_is_refused(app_dir: Path) -> None:
    with pytest.raises(DevhostError, match="TLS_KEY"):
        HostProcess(app_dir, {"TLS_CERT": "x"})


def test_an_app_that_cannot_be_imported_ends_the_host_with_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text("raise ValueError('broken on purpose')\n")
    with pytest.raises(DevhostError, match="broken on purpose"):
        HostProcess(tmp_path, {"RegistryStorage": "none"})


def test_help_names_every_variable() -> None:
    command = [sys.executable, "-m", "devhost", "--help"]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in ("PORT", "HOST", "DATA_DIR", "AZURITE_BLOB_PORT", "TLS_CERT", "RegistryStorage"):
        assert name in text
