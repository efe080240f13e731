"""CNCF distribution on its Azure driver."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    began = time.perf_counter()
    try:
        with (place / "output.log").open("wb") as output:
            environment = free_of_settings(dict(os.environ)) | {"OTEL_TRACES_EXPORTER": "none"}
            process = Child(command, output=output, env=environment)
        base_url = f"http://127.0.0.1:{port}"
        _wait_until_up(base_url, process, place / "output.log")
    except BaseException:
        proxy.close()
        raise

    took = time.perf_counter() - began

    def stop() -> None:
        process.stop()
        proxy.close()

    return Contender(Kind.DISTRIBUTION, base_url, process.pid, proxy, stop, took)


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


@dataclass(frozen=True)
class Collected:
    """What a run of its garbage collector took."""

    seconds: float
    processor_seconds: float
    calls: int


def collect(azurite: Azurite, folder: Path) -> Collected:
    """Runs its garbage collector once. Raises `DevhostError`, `GoError`."""
    program = go_tools.registry()
    with Proxy.of(azurite) as proxy:
        url = proxy.through(f"http://127.0.0.1:{azurite.blob_port}/{ACCOUNT_NAME}")
        configuration = folder / "collect.yml"
        configuration.write_text(json.dumps(_configuration(url, _free_port())))
        before, began = _children_seconds(), time.perf_counter()
        done = subprocess.run(
            [str(program), "garbage-collect", str(configuration)],
            env=free_of_settings(dict(os.environ)),
            capture_output=True,
            check=False,
            text=True,
        )
        took = time.perf_counter() - began
        if done.returncode:
            raise DevhostError(f"distribution does not collect:\n{done.stderr[-2000:]}")
        return Collected(took, _children_seconds() - before, proxy.take().calls)


def _children_seconds() -> float:
    """Processor time of the children of this process that have ended."""
    times = os.times()
    return times.children_user + times.children_system
