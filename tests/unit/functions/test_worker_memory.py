"""The worker is made to forget what is over, never what is under way, and may look as it likes."""

from __future__ import annotations

import sys
from collections import deque
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from functions import worker_memory

MODULES = ("azure_functions_runtime.http_v2", "azure_functions_worker.http_v2")
KEPT = 3


def request(invocation_id: str | None) -> Request:
    value = [] if invocation_id is None else [(b"x-ms-invocation-id", invocation_id.encode())]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": value})


def serve(references: dict[str, Any], *ids: str) -> None:
    """Serves requests one after another, as the worker does: it makes each entry before."""
    for invocation_id in ids:
        references[invocation_id] = object()
        with worker_memory.forgetting(request(invocation_id)):
            assert invocation_id in references


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> deque[str]:
    """Neither a worker nor a past, and a short memory."""
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(worker_memory, "KEPT", KEPT)
    returned = deque[str]()
    monkeypatch.setattr(worker_memory, "_returned", returned)
    return returned


def install(monkeypatch: pytest.MonkeyPatch, name: str, **attributes: object) -> None:
    module = ModuleType(name)
    vars(module).update(attributes)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture(params=MODULES)
def references(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a worker, of either kind, keeps."""
    kept: dict[str, Any] = {}
    coordinator = SimpleNamespace(_context_references=kept)
    install(monkeypatch, request.param, http_coordinator=coordinator)
    return kept


def test_all_but_the_last_few_are_forgotten(references: dict[str, Any]) -> None:
    serve(references, *(str(number) for number in range(10)))
    assert list(references) == ["7", "8", "9"]


def test_a_request_under_way_is_kept_however_many_come_and_go(references: dict[str, Any]) -> None:
    references["long"] = object()
    with worker_memory.forgetting(request("long")):
        serve(references, *(str(number) for number in range(100)))
        assert list(references) == ["long", "97", "98", "99"]
    assert "long" in references
    serve(references, "a", "b", "c")
    assert list(references) == ["a", "b", "c"]


def test_a_request_whose_function_failed_is_forgotten(references: dict[str, Any]) -> None:
    references["bad"] = object()
    with pytest.raises(LookupError), worker_memory.forgetting(request("bad")):
        raise LookupError
    serve(references, "a", "b", "c")
    assert "bad" not in references


def test_what_is_remembered_is_bounded(references: dict[str, Any], fresh: deque[str]) -> None:
    serve(references, *(str(number) for number in range(100)))
    assert len(fresh) == KEPT


def test_entries_of_others_are_left_alone(references: dict[str, Any]) -> None:
    references["other"] = object()
    serve(references, *(str(number) for number in range(10)))
    assert "other" in references


def test_what_the_worker_has_forgotten_itself_is_no_matter(references: dict[str, Any]) -> None:
    for number in range(10):
        with worker_memory.forgetting(request(str(number))):
            pass
    assert references == {}


def test_a_request_without_an_id_is_no_matter(
    references: dict[str, Any], fresh: deque[str]
) -> None:
    with worker_memory.forgetting(request(None)):
        pass
    assert not fresh


def test_without_a_worker_nothing_is_done(fresh: deque[str]) -> None:
    with worker_memory.forgetting(request("1")):
        pass
    assert not fresh


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"http_coordinator": None},
        {"http_coordinator": SimpleNamespace()},
        {"http_coordinator": SimpleNamespace(_context_references=None)},
        {"http_coordinator": SimpleNamespace(_context_references=["1"])},
    ],
)
def test_a_worker_that_looks_different_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, fresh: deque[str], name: str, attributes: dict[str, object]
) -> None:
    install(monkeypatch, name, **attributes)
    for number in range(10):
        with worker_memory.forgetting(request(str(number))):
            pass
    assert not fresh
