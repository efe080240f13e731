"""What a start costs: imports, and the first requests of a process.

Azure starts an instance for the first request after a pause, so whatever the app imports is waited
for. The measure is the required libraries alone, imported by a process of their own right before.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIRED = (
    "import azure.functions, azurefunctions.extensions.http.fastapi, jwt, "
    "cryptography.hazmat.primitives.ciphers.aead"
)
"""The libraries without which there is no function app that speaks to storage and signs tokens."""
APP = "import function_app"
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
_TIMED = """
import asyncio, base64, contextlib, json, os, sys, time

times = {}


@contextlib.contextmanager
def timed(name):
    began = time.perf_counter(), time.process_time()
    yield
    times[name] = time.perf_counter() - began[0], time.process_time() - began[1]


with timed("import"):
    import function_app
    import starlette.requests
    from registry_core.http import edge, surfaces
before = set(sys.modules)


async def ask(surface, path, query=b""):
    secret = f"admin:{os.environ['REGISTRY_ADMIN_PASSWORD']}".encode()
    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": query,
        "headers": [(b"authorization", b"Basic " + base64.b64encode(secret)), (b"host", b"x")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1), "scheme": "http",
    }
    async def receive():
        return {"type": "http.request", "body": b""}
    request = starlette.requests.Request(scope, receive)
    await edge.handle(function_app.registry, surface, request, path)


async def main():
    for turn in ("first", "second"):
        with timed(f"{turn} sign-in"):
            await ask(surfaces.OAUTH2, "/token", b"scope=repository:a:pull")
        with timed(f"{turn} manifest"):
            await ask(surfaces.V2, "/a/manifests/v1")
    await function_app.registry.close()

asyncio.run(main())
loaded = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
print(json.dumps({"times": times, "loaded": loaded}))
"""


@dataclass(frozen=True)
class FirstRequests:
    """What a new process took, and what it imported after it was ready."""

    seconds: Mapping[str, float]
    processor_seconds: Mapping[str, float]
    """The same less all waiting, storage's part with it."""
    loaded: Sequence[str]
    """Top-level packages of modules that the first requests imported."""


def ratio(rounds: int, app: str = APP) -> float:
    """The app's imports to those of the required SDKs: the fastest of `rounds` pairs each.

    Both in processor time, of which others on the machine take nothing away. The interpreter's own
    start is taken off both. 1 would be: all that is imported is required.
    """
    turns = [[_processor_seconds(s) for s in ("pass", REQUIRED, app)] for _ in range(rounds)]
    nothing, *both = map(min, zip(*turns, strict=True))
    required, whole = (seconds - nothing for seconds in both)
    return float(whole / required)


def profile(statement: str = APP, python: Path = Path(sys.executable)) -> Counter[str]:
    """Microseconds that each top-level package spends on being imported, itself alone."""
    command = [str(python), "-X", "importtime", "-c", statement]
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
    times = document["times"]
    wall, processor = ({name: pair[i] for name, pair in times.items()} for i in (0, 1))
    return FirstRequests(wall, processor, document["loaded"])


def modules(statement: str = APP) -> frozenset[str]:
    """The modules that are there after a statement."""
    command = [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"]
    done = subprocess.run(
        command, cwd=ROOT, env=_environment(), capture_output=True, check=True, text=True
    )
    return frozenset(done.stdout.split())


def _processor_seconds(statement: str) -> float:
    """What a process of its own takes to run `statement`, apart from what the system does for it.

    What it reads may have to come from the disk, or from what others have read before.
    """
    before = os.times().children_user
    subprocess.run([sys.executable, "-c", statement], cwd=ROOT, env=_environment(), check=True)
    return os.times().children_user - before


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    return {**kept, "RegistryStorage": "UseDevelopmentStorage=true"}
