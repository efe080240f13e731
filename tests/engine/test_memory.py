"""The engine's memory does not grow with the number of requests, because the app sees to it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.engine.conftest import PASSWORD
from tests.engine.host import EngineHost
from tests.engine.load import send_requests
from tests.engine.process import ROOT, needs_proc

MIB = 1024 * 1024
UNCONTAINED = Path(__file__).parent / "uncontained"
AUTHORIZATION = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()

WITHOUT_LIMITS = {"REGISTRY_RATE_LIMITS": "off"}
"""More requests in a minute than one identity is answered otherwise."""

pytestmark = [needs_proc, pytest.mark.long]


def growth(host: EngineHost, *, warm_up: int, requests: int) -> int:
    """By how many bytes the engine grows during `requests` requests after `warm_up` others."""
    before = 0
    for number in (warm_up, requests):
        before = host.engine.memory()
        statuses = host.run(send_requests(host.engine, "", AUTHORIZATION, number))
        assert statuses == {b"200": number}
    return host.engine.memory() - before


def test_memory_is_flat_over_100_000_requests(settings: dict[str, str], tmp_path: Path) -> None:
    with EngineHost(ROOT, settings | WITHOUT_LIMITS, tmp_path / "engine.log") as host:
        assert growth(host, warm_up=20_000, requests=80_000) < 4 * MIB


def test_without_the_containment_it_would_grow(settings: dict[str, str], tmp_path: Path) -> None:
    """Were this to fail, the worker may have been mended, and `worker_memory` be needless."""
    script = {"PYTHON_SCRIPT_FILE_NAME": "uncontained.py", **WITHOUT_LIMITS}
    with EngineHost(UNCONTAINED, settings | script, tmp_path / "engine.log") as host:
        # Some 22 MB, at which rate the test above would see 170 MB.
        assert growth(host, warm_up=2_000, requests=10_000) > 10 * MIB
