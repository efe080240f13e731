import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from devhost.cert import CertificateDirectory
from devhost.errors import AzuriteError
from devhost.processes.azurite import Azurite
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[3]


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until_deaf(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while is_listening(port):
        assert time.monotonic() < deadline, f"something still listens on {port}"
        time.sleep(0.02)


def test_all_services_accept_once_it_is_made_and_none_once_it_is_stopped(tmp_path: Path) -> None:
    with Azurite(tmp_path) as azurite:
        ports = [azurite.blob_port, azurite.queue_port, azurite.table_port]
        assert all(is_listening(port) for port in ports)
    assert not any(is_listening(port) for port in ports)
    azurite.stop()


def test_its_data_outlives_it(tmp_path: Path) -> None:
    with (
        Azurite(tmp_path) as azurite,
        BlobServiceClient.from_connection_string(azurite.connection_string) as client,
    ):
        client.create_container("kept").upload_blob("blob", b"content")
    with (
        Azurite(tmp_path) as azurite,
        BlobServiceClient.from_connection_string(azurite.connection_string) as client,
    ):
        assert client.get_blob_client("kept", "blob").download_blob().readall() == b"content"


def test_a_start_that_fails_is_told_in_its_own_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        with pytest.raises(AzuriteError, match="EADDRINUSE"):
            Azurite(tmp_path, blob_port=port)


def test_with_a_certificate_it_speaks_tls(tmp_path: Path) -> None:
    certificates = CertificateDirectory(tmp_path / "certs")
    certificates.ensure()
    with Azurite(tmp_path, certificate=certificates.certificate, key=certificates.key) as azurite:
        assert f"BlobEndpoint=https://127.0.0.1:{azurite.blob_port}/" in azurite.connection_string
        context = ssl.create_default_context(cafile=str(certificates.authority))
        with (
            socket.create_connection(("127.0.0.1", azurite.blob_port), timeout=PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            assert connection.version() == "TLSv1.3"


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child of its parent's death"
)
def test_it_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    program = """
import sys, time
from pathlib import Path
from devhost.processes.azurite import Azurite
azurite = Azurite(Path(sys.argv[1]))
print(azurite.blob_port, flush=True)
time.sleep(600)
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        assert is_listening(port)
        parent.send_signal(signal.SIGKILL)
    wait_until_deaf(port)
