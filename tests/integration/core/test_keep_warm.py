"""Who cannot be asked for its health is told in one line; nothing is raised."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

import pytest

from registry_core.lifecycle import keep_warm


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def test_a_host_that_does_not_answer_is_one_line_in_the_log(
    closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "slipway"):
        await keep_warm.ask_health(f"127.0.0.1:{closed_port}")
    (record,) = caplog.records
    assert record.getMessage() == (
        f"keep warm: 127.0.0.1:{closed_port} cannot be reached: ConnectionRefusedError"
    )
    assert record.exc_info is None


async def test_an_answer_that_does_not_come_is_given_up(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep_warm, "_TIMEOUT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"localhost:{silent.getsockname()[1]}"
        with caplog.at_level(logging.WARNING, "slipway"):
            await keep_warm.ask_health(host)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"keep warm: {host} cannot be reached: ")
