"""All pictures of the page, by the names of their files."""

from __future__ import annotations

from collections.abc import Iterator

from bench.charts.curves import Curves, Panel
from bench.charts.frame import BLUE, GREEN, GREY, Line
from bench.charts.rows import Rows
from bench.compare.bars import ratio
from bench.compare.operations import OPERATIONS
from bench.compare.starts import IMPORTS
from bench.compare.streams import STREAMS
from bench.growth.run import CURVES
from bench.page import view
from bench.results.store import Results

RATIOS, TIMES, STREAMED, IMPORTED = "ratios", "times", "streams", "imports"
_DELAY = 5
_PANELS = (("ms", "ms"), ("calls", "storage calls"), ("cpu_ms", "CPU, ms"))
_STREAMS_DELAY = 5


def plain(title: str) -> str:
    """A title without the marks of Markdown."""
    return title.replace("`", "")


def pictures(results: Results) -> Iterator[tuple[str, str]]:
    """The name and the SVG of each that there are results for."""
    for name, draw in (
        (RATIOS, ratios),
        (TIMES, times),
        (STREAMED, streams),
        (IMPORTED, imports),
    ):
        if (drawn := draw(results)) is not None:
            yield name, drawn
    for each in CURVES:
        if (drawn := growth(results, each.name, plain(each.title), each.of)) is not None:
            yield file_of(each.name), drawn


def file_of(series: str) -> str:
    """The name of a curve's picture."""
    return f"growth-{series.replace(' ', '-')}"


def ratios(results: Results) -> str | None:
    """How many times as fast as distribution each operation is."""
    inks = (GREY, GREEN, BLUE)
    delays = view.delays(results)
    lines = [
        Line(f"d{delay}", f"{delay} ms a storage call", ink)
        for delay, ink in zip(delays, inks, strict=False)
    ]
    values = {
        plain(each.title): [ratio(results, each.name, delay) for delay in delays[: len(lines)]]
        for each in OPERATIONS
    }
    values = {name: row for name, row in values.items() if any(value is not None for value in row)}
    if not values:
        return None
    title = "Times as fast as distribution (medians, one request at once)"
    return Rows(title, "×", lines, values, from_one=True).draw()  # noqa: RUF001


def times(results: Results) -> str | None:
    """The medians of all registries."""
    kinds = view.kinds(results)
    values = {
        plain(each.title): [
            view.times(results, each.name, kind, _DELAY).get("p50") for kind in kinds
        ]
        for each in OPERATIONS
    }
    values = {name: row for name, row in values.items() if any(value is not None for value in row)}
    if not values:
        return None
    title = f"Median time with {_DELAY} ms a storage call, in ms"
    return Rows(title, " ms", [view.LINES[kind] for kind in kinds], values).draw()


def streams(results: Results) -> str | None:
    """How fast layers come in, by their size."""
    points = {}
    for kind in view.kinds(results):
        found = results.of(STREAMS, registry=kind.value, at_once=1, delay=_STREAMS_DELAY)
        points[kind.value] = sorted(
            (float(each.key["mib"]), float(each.figures["mib_per_second"])) for each in found
        )
    if not any(points.values()):
        return None
    lines = [view.LINES[kind] for kind in view.kinds(results)]
    panels = [
        Panel("MiB a second", points),
        Panel("CPU, ms a MiB", _stream_cpu(results)),
    ]
    return Curves("Streamed uploads by the size of the layer", "MiB", lines, panels).draw()


def _stream_cpu(results: Results) -> dict[str, list[tuple[float, float]]]:
    return {
        kind.value: sorted(
            (float(each.key["mib"]), float(each.figures["cpu_ms_per_mib"]))
            for each in results.of(STREAMS, registry=kind.value, at_once=1, delay=_STREAMS_DELAY)
        )
        for kind in view.kinds(results)
    }


def imports(results: Results) -> str | None:
    """What each package takes to be imported."""
    found = [each for each in results.of(IMPORTS) if each.key["package"]]
    found.sort(key=lambda each: -float(each.figures["ms"]))
    if not found:
        return None
    line = Line("import", "itself, without what it imports", BLUE)
    values = {str(each.key["package"]): [float(each.figures["ms"])] for each in found}
    return Rows("Time to import each package, in ms", " ms", [line], values).draw()


def growth(results: Results, series: str, title: str, of: str) -> str | None:
    """How time, storage calls and processor time grow."""
    kinds = [kind for kind in view.kinds(results) if view.curve(results, series, kind, "ms")]
    if not kinds:
        return None
    panels = [
        Panel(name, {kind.value: view.curve(results, series, kind, figure) for kind in kinds})
        for figure, name in _PANELS
    ]
    return Curves(
        title[0].upper() + title[1:], of, [view.LINES[each] for each in kinds], panels
    ).draw()
