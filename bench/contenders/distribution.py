"""CNCF distribution on its Azure driver."""

from __future__ import annotations

import json
import os
import secrets
import socket
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from azure.storage.blob import ContainerClient

from bench.compare.wire import HOST
from bench.contenders import go_tools
from bench.contenders.contender import Contender, Kind, free_of_settings
from bench.proxy.process import Proxy
from devhost.errors import DevhostError
from devhost.processes.azurite import ACCOUNT_KEY, ACCOUNT_NAME, Azurite
from devhost.processes.children import Child
from registry_core.auth.bearer import ISSUER

CONTAINER = "distribution"
_PATIENCE = 60.0


def prepare(azurite: Azurite) -> None:
    """Makes the container, which it does not do by itself."""
    with ContainerClient.from_connection_string(azurite.connection_string, CONTAINER) as container:
        container.create_container()


def distribution(
    azurite: Azurite, keys: Sequence[Mapping[str, str]], folder: Path, *, token: bool = True
) -> Contender:
    """One that takes the tokens signed with `keys`, or asks for none.

    Raises `DevhostError`, `GoError`.
    """
    program = go_tools.registry()
    proxy = Proxy.of(azurite)
    url = f"http://127.0.0.1:{azurite.blob_port}/{ACCOUNT_NAME}"
    place = Path(tempfile.mkdtemp(dir=folder, prefix="distribution-"))
    port = _free_port()
    configuration = _configuration(proxy.through(url), port)
    if token:
        (place / "keys.json").write_text(json.dumps({"keys": list(keys)}))
        configuration["auth"] = _token_auth(place / "keys.json")
    # JSON is YAML as well.
    (place / "config.yml").write_text(json.dumps(configuration))
    command = [str(program), "serve", str(place / "config.yml")]
    try:
        with (place / "output.log").open("wb") as output:
            environment = free_of_settings(dict(os.environ)) | {"OTEL_TRACES_EXPORTER": "none"}
            process = Child(command, output=output, env=environment)
        base_url = f"http://127.0.0.1:{port}"
        _wait_until_up(base_url, process, place / "output.log")
    except BaseException:
        proxy.close()
        raise

    def stop() -> None:
        process.stop()
        proxy.close()

    return Contender(Kind.DISTRIBUTION, base_url, process.pid, proxy, stop)


def _configuration(storage: str, port: int) -> dict[str, Any]:
    return {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": secrets.token_hex(16)},
        "storage": {
            "azure": {
                "accountname": ACCOUNT_NAME,
                "accountkey": ACCOUNT_KEY,
                "credentials": {"type": "shared_key"},
                "container": CONTAINER,
                "serviceurl": storage,
            },
            "delete": {"enabled": True},
            "cache": {"blobdescriptor": "inmemory"},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
    }


def _token_auth(keys: Path) -> dict[str, Any]:
    return {
        "token": {
            "realm": f"http://{HOST}/oauth2/token",
            "service": HOST,
            "issuer": ISSUER,
            "jwks": str(keys),
        }
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _wait_until_up(base_url: str, process: Child, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{base_url}/v2/", timeout=_PATIENCE).close()  # noqa: S310
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
    said = log.read_text(errors="replace")[-2000:]
    process.stop()
    raise DevhostError(f"distribution does not serve:\n{said}")
