"""What a start costs: imports, and the first requests of a process.

Azure starts an instance for the first request after a pause, so whatever the app imports is waited
for. The measure is the required SDKs alone, imported by a process of their own right before.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIRED = (
    "import azure.functions, azurefunctions.extensions.http.fastapi, azure.storage.blob.aio, "
    "azure.data.tables.aio; from azure.core.pipeline.transport import AioHttpTransport"
)
"""The SDKs without which there is no function app on Azure Storage."""
APP = "import function_app"
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
_TIMED = """
import asyncio, base64, json, os, sys, time

began = time.perf_counter()
import function_app
import starlette.requests
from registry_core.http import edge

times = {"import": time.perf_counter() - began}
before = set(sys.modules)


async def ask(handle, path, query=b""):
    secret = f"admin:{os.environ['REGISTRY_ADMIN_PASSWORD']}".encode()
    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": query,
        "headers": [(b"authorization", b"Basic " + base64.b64encode(secret)), (b"host", b"x")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1), "scheme": "http",
    }
    async def receive():
        return {"type": "http.request", "body": b""}
    began = time.perf_counter()
    await handle(function_app.registry, starlette.requests.Request(scope, receive), path)
    return time.perf_counter() - began


async def main():
    for turn in ("first", "second"):
        scope = b"scope=repository:a:pull"
        times[f"{turn} sign-in"] = await ask(edge.handle_oauth2, "/token", scope)
        times[f"{turn} manifest"] = await ask(edge.handle, "/a/manifests/v1")
    await function_app.registry.close()

asyncio.run(main())
loaded = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
print(json.dumps({"times": times, "loaded": loaded}))
"""


@dataclass(frozen=True)
class FirstRequests:
    """What a new process took, and what it imported after it was ready."""

    seconds: Mapping[str, float]
    loaded: Sequence[str]
    """Top-level packages of modules that the first requests imported."""


def ratio(rounds: int, app: str = APP) -> float:
    """The app's imports to those of the required SDKs: the fastest of `rounds` pairs each.

    The interpreter's own start is taken off both. 1 would be: all that is imported is required.
    """
    nothing = min(_seconds("pass") for _ in range(rounds))
    pairs = [(_seconds(REQUIRED), _seconds(app)) for _ in range(rounds)]
    required, whole = (min(column) - nothing for column in zip(*pairs, strict=True))
    return float(whole / required)


def profile(statement: str = APP) -> Counter[str]:
    """Microseconds that each top-level package spends on being imported, itself alone."""
    command = [sys.executable, "-X", "importtime", "-c", statement]
    done = subprocess.run(
        command, cwd=ROOT, env=_environment(), capture_output=True, check=True, text=True
    )
    found: Counter[str] = Counter()
    for microseconds, module in _LINE.findall(done.stderr):
        parts = module.split(".")
        found[".".join(parts[:2]) if parts[0].startswith("azure") else parts[0]] += int(
            microseconds
        )
    return found


def first_requests(storage: str, password: str) -> FirstRequests:
    """A sign-in and a manifest that is not there, on a new process, each twice."""
    environment = _environment() | {
        "RegistryStorage": storage,
        "REGISTRY_ADMIN_USER_ENABLED": "on",
        "REGISTRY_ADMIN_USERNAME": "admin",
        "REGISTRY_ADMIN_PASSWORD": password,
    }
    command = [sys.executable, "-c", _TIMED]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, check=True, text=True
    )
    document = json.loads(done.stdout.splitlines()[-1])
    return FirstRequests(document["times"], document["loaded"])


def modules(statement: str = APP) -> frozenset[str]:
    """The modules that are there after a statement."""
    command = [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"]
    done = subprocess.run(
        command, cwd=ROOT, env=_environment(), capture_output=True, check=True, text=True
    )
    return frozenset(done.stdout.split())


def _seconds(statement: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], cwd=ROOT, env=_environment(), check=True)
    return time.perf_counter() - began


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    return {**kept, "RegistryStorage": "UseDevelopmentStorage=true"}
