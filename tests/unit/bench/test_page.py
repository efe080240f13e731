"""The page on performance, and its pictures, are what the kept results make them."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.page.command import DOCS, KEPT
from bench.page.performance import FOLDER, PAGE, documents, write
from bench.results.store import Result, Results

NAMESPACE = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return documents(Results.read(KEPT))


def test_the_page_and_its_pictures_are_made_from_the_results(made: dict[str, str]) -> None:
    kept = {name: (DOCS / name).read_text(encoding="utf-8") for name in made}
    assert kept == made, "make bench BENCH=page writes them"
    assert {f"{FOLDER}/{path.name}" for path in (DOCS / FOLDER).iterdir()} == set(made) - {PAGE}


def test_every_picture_is_shown_and_every_slot_of_the_page_is_filled(made: dict[str, str]) -> None:
    shown = set(re.findall(r"\]\((performance/[^)]+\.svg)\)", made[PAGE]))
    assert shown == set(made) - {PAGE}
    assert "{{" not in made[PAGE]


def test_pictures_are_well_formed_and_have_colours_for_dark(made: dict[str, str]) -> None:
    for name, svg in made.items():
        if name == PAGE:
            continue
        root = ElementTree.fromstring(svg)
        style = root.findtext(f"{NAMESPACE}style") or ""
        light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
        for kind in ("text", ".back", ".grid"):
            assert f"{kind} {{" in light, name
            assert f"{kind} {{" in dark, name
        classes = {word for each in root.iter() for word in each.get("class", "").split()}
        drawn = {word for word in classes if word not in ("title", "small")}
        assert all(f".{word} {{" in light and f".{word} {{" in dark for word in drawn), name


def test_nothing_is_drawn_outside_of_its_picture(made: dict[str, str]) -> None:
    for name, svg in made.items():
        if name == PAGE:
            continue
        root = ElementTree.fromstring(svg)
        _, _, width, height = map(float, root.get("viewBox", "").split())
        for each in root.iter():
            x, y = each.get("x", each.get("cx")), each.get("y", each.get("cy"))
            if x is not None and y is not None:
                assert 0 <= float(x) <= width, (name, each.attrib)
                assert 0 <= float(y) <= height, (name, each.attrib)


def test_a_row_that_falls_short_is_named_with_its_reason() -> None:
    results = Results({"processors": 2, "processor": "x", "memory_gib": 1, "system": "y"}, {})
    for registry, p50 in (("devhost", 2.0), ("distribution", 1.0)):
        key: dict[str, str | float] = {
            "operation": "v2",
            "registry": registry,
            "delay": 5,
            "mode": "one",
        }
        figures = {"p50": p50, "p95": p50, "p99": p50, "count": 1, "cpu_ms": 1.0}
        results.put(Result("times", key, figures, "abc", "2026-11-28", quick=False))
    page = documents(results)[PAGE]
    (line,) = [line for line in page.splitlines() if line.startswith("- **`GET /v2/`**")]
    assert "0.50 at 5 ms" in line
    assert "Slipway runs in Python" in line
    assert "**not met**" in page


def test_pictures_of_what_is_measured_no_more_are_removed(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "growth-of-old.svg").write_text("<svg/>")
    written = write(Results.read(KEPT), tmp_path)
    assert set((tmp_path / FOLDER).iterdir()) == {path for path in written if path.suffix == ".svg"}
