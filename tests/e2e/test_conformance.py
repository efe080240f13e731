"""The registry conforms to the OCI distribution specification, its optional parts included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conformance import PAGE, Outcome, Run, run_suite, write_page
from tests.e2e.pair import Pair
from tests.e2e.registry import Registry

VERSIONS = ("1.1", "dev")
AT_ONCE = {"Blob delete atomic", "Manifest delete atomic", "Tag delete atomic"}
"""The parts of the suite that ask right after a deletion whether it counts."""


@pytest.fixture(scope="module")
def streaming(workspace: Path, registry: Registry) -> Iterator[Registry]:
    """Give an instance on the same storage that sends blobs itself."""
    folder = workspace / "streaming"
    folder.mkdir()
    settings = {"REGISTRY_BLOB_REDIRECT": "off"}
    started = Registry(
        folder, storage=registry.storage, password=registry.password, settings=settings
    )
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def runs(
    workspace: Path, registry: Registry, streaming: Registry, environment: dict[str, str]
) -> list[Run]:
    folder = workspace / "conformance"
    found = [
        run_suite(streaming, Run(version, "streamed", redirect=False), folder, environment)
        for version in VERSIONS
    ]
    found += [
        run_suite(registry, Run(version, "redirected"), folder, environment) for version in VERSIONS
    ]
    for name, settings, run in (
        ("two", {}, Run("1.1", "two servers", is_atomic=False)),
        ("two-uncached", {"REGISTRY_CACHE_TTL": "0s"}, Run("1.1", "two servers without memory")),
    ):
        (workspace / name).mkdir()
        pair = Pair(workspace / name, settings)
        try:
            found.append(run_suite(pair, run, folder, environment))
        finally:
            pair.stop()
    return found


def _outcomes(runs: list[Run]) -> dict[str, Outcome]:
    assert all(run.outcome for run in runs)
    return {run.title: run.outcome for run in runs if run.outcome}


def test_every_test_of_the_suite_passes(runs: list[Run]) -> None:
    for title, outcome in _outcomes(runs).items():
        assert not outcome.not_passed, (title, outcome.not_passed)
        counts = outcome.counts
        assert counts["Pass"] + counts["Disabled"] == counts["Total"] > 900, title
        assert (outcome.counts["FAIL"], outcome.counts["Error"]) == (0, 0), title


def test_only_sparse_images_are_left_out_and_what_two_servers_see_of_each_other_at_once(
    runs: list[Run],
) -> None:
    for run in runs:
        assert run.outcome
        parts = {**run.outcome.apis, **run.outcome.data}
        others = {name for name, status in parts.items() if status == "Disabled"}
        assert set(parts.values()) == {"Pass", "Disabled"}, run.title
        assert others == {"Sparse Manifests"} | (set() if run.is_atomic else AT_ONCE), run.title


def test_whatever_is_skipped_is_named_with_what_permits_it(runs: list[Run]) -> None:
    named = set(re.findall(r"^- `(.+?)`: ", PAGE.read_text(), re.MULTILINE))
    skipped = {name for outcome in _outcomes(runs).values() for name in outcome.skipped}
    assert skipped == named


def test_the_published_table_is_what_the_run_found(runs: list[Run]) -> None:
    assert not write_page(runs), f"{PAGE.name} told something else and was rewritten: commit it"


def test_a_suite_that_finds_fault_is_understood() -> None:
    """What these tests rest on: a failure in the suite's output is seen as one."""
    outcome = Outcome.parse(
        "Test results\n"
        "OCI Conformance Test: FAIL\n"
        "  OCI Conformance Test/sha256 blobs: FAIL\n"
        "    OCI Conformance Test/sha256 blobs/get: FAIL\n"
        "     - no header\n"
        "    OCI Conformance Test/sha256 blobs/mount anonymous: Skip\n"
        "\nConfiguration:\n  registry: x\n\n"
        "OCI Conformance Result: FAIL\n"
        "  Skip..........................:          1\n"
        "  FAIL..........................:          1\n"
        "\nAPI conformance:\n  Blob get......................:       FAIL\n"
        "\nData conformance:\n  Image.........................:       Pass\n"
    )
    assert outcome.counts == {"Skip": 1, "FAIL": 1}
    assert outcome.not_passed[-1] == "     - no header"
    assert outcome.skipped == ["OCI Conformance Test/sha256 blobs/mount anonymous"]
    assert (outcome.apis, outcome.data) == ({"Blob get": "FAIL"}, {"Image": "Pass"})
