"""The chart of a soak is a picture by itself, in light and in dark."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.soak.chart import Sample, draw

SVG = "{http://www.w3.org/2000/svg}"
SAMPLES = [
    Sample(0.0, 0, 0),
    Sample(10.0, 4_000_000, 1_000_000),
    Sample(20.0, 2_000_000, 2_000_000),
]


def points(picture: str, name: str) -> list[tuple[float, float]]:
    root = ElementTree.fromstring(picture)
    (line,) = [e for e in root.iter(f"{SVG}polyline") if e.get("class") == name]
    pairs = (each.split(",") for each in (line.get("points") or "").split())
    return [(float(x), float(y)) for x, y in pairs]


def test_both_lines_are_drawn_to_one_scale() -> None:
    picture = draw(SAMPLES, "Bytes")
    stored, live = points(picture, "stored"), points(picture, "live")
    assert [x for x, _ in stored] == sorted(x for x, _ in stored)
    # More is higher, and what is alike lies at one place.
    assert stored[1][1] < live[1][1] < live[0][1]
    assert stored[2] == live[2]
    assert stored[0] == live[0]


def test_it_says_what_it_shows() -> None:
    picture = draw(SAMPLES, "Bytes <stored> & live")
    texts = [e.text for e in ElementTree.fromstring(picture).iter(f"{SVG}text")]
    assert "Bytes <stored> & live" in texts
    assert {"0.0 MB", "4.0 MB", "0 s", "20 s"} <= set(texts)


def test_it_has_colours_for_dark() -> None:
    picture = draw(SAMPLES, "Bytes")
    assert "prefers-color-scheme: dark" in picture


def test_nothing_is_drawn_of_one_sample() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        draw(SAMPLES[:1], "Bytes")


def test_an_empty_registry_is_drawn_at_zero() -> None:
    assert len(points(draw([Sample(0, 0, 0), Sample(1, 0, 0)], "Bytes"), "stored")) == 2
