"""The page itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from bench.compare.bars import BARS, REASONS, Verdict, ratio, verdicts
from bench.compare.operations import OPERATIONS
from bench.compare.plan import AT_ONCE, Mode
from bench.compare.run import MEMORY
from bench.compare.streams import STREAMS
from bench.contenders.contender import Kind
from bench.page import curves, floor, starts, view
from bench.page.pictures import IMPORTED, RATIOS, STREAMED, TIMES, pictures
from bench.page.text import NOTHING, count, counts, number, table
from bench.results.store import Results

PAGE, FOLDER = "performance.md", "performance"
_OURS, _THEIRS = Kind.DEVHOST, Kind.DISTRIBUTION
_MEGABYTE = 1_000_000
_TEMPLATE = Path(__file__).with_name("performance.template")
_SLOT = re.compile(r"\{\{(\w+)\}\}")
_MISSING = "Not measured."
_TITLES = {each.name: each.title for each in OPERATIONS} | {STREAMS: "streamed `PATCH`"}


def write(results: Results, docs: Path) -> list[Path]:
    """Writes the page and its pictures; answers what was written."""
    files = documents(results)
    folder = docs / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for name, content in files.items():
        (docs / name).write_text(content, encoding="utf-8")
    return [docs / name for name in files]


def documents(results: Results) -> dict[str, str]:
    """The files by their names in `docs/`."""
    drawn = {f"{FOLDER}/{name}.svg": svg for name, svg in pictures(results)}
    return {PAGE: page(results, drawn), **drawn}


def page(results: Results, drawn: Collection[str]) -> str:
    """The Markdown, with the pictures that there are."""

    def picture(name: str, title: str) -> str:
        path = f"{FOLDER}/{name}.svg"
        return f"![{title}]({path})" if path in drawn else ""

    slots = {
        "measured": _measured(results),
        "ratios": picture(RATIOS, "Times as fast as distribution, by operation and delay"),
        "bars": _table_of_bars(results),
        "losses": _losses(results),
        "floor": floor.part(results),
        "picture": picture(TIMES, "Median times of the registries at 5 ms a storage call"),
        "times": "\n\n".join(_times(results)),
        "processor": _processor(results),
        "memory": _memory(results),
        "streamed": _streams(results),
        "streams": picture(STREAMED, "Throughput and processor time of streams, by size"),
        "growth": curves.part(results, picture),
        "starts": starts.part(results),
        "imports": starts.imports(results, picture(IMPORTED, "Time to import each package")),
        "proxy": starts.proxy(results),
    }
    template = _TEMPLATE.read_text(encoding="utf-8")
    return _SLOT.sub(lambda found: slots.pop(found[1]) or _MISSING, template)


def _measured(results: Results) -> str:
    dates = sorted({each.date for each in results})
    commits = sorted({each.commit for each in results if each.commit})
    machine = results.machine
    when = " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else NOTHING
    versions = ", ".join(f"{name} {version}" for name, version in sorted(results.versions.items()))
    quick = any(each.quick for each in results)
    warning = " Some of it was measured in a quick run, with a few requests." if quick else ""
    return (
        f"Measured {when} at {', '.join(commits) or 'no commit'}, on {machine['processors']} "
        f"processors ({machine['processor']}), {machine['memory_gib']} GiB of memory, "
        f"{machine['system']}. "
        f"{versions}.{warning}"
    )


def _table_of_bars(results: Results) -> str:
    delays = view.delays(results)
    met: dict[str, list[Verdict]] = {}
    for verdict in verdicts(results):
        met.setdefault(verdict.row, []).append(verdict)

    def row(name: str) -> Sequence[str]:
        ours, theirs = (view.calls(results, name, kind) for kind in (_OURS, _THEIRS))
        bars = ", ".join(f"≥ {bar:g} at {delay} ms" for delay, bar in BARS[name].items())
        verdict = _verdict(met.get(name, ()))
        return (
            _TITLES[name],
            counts(ours.get("calls"), theirs.get("calls")),
            counts(ours.get("rounds"), theirs.get("rounds")),
            *(number(ratio(results, name, delay)) for delay in delays),
            bars,
            verdict,
        )

    head = (
        "operation",
        "storage calls, Slipway / distribution",
        "rounds",
        *(f"ratio, {delay} ms" for delay in delays),
        "bar",
        "",
    )
    return table(head, (row(each.name) for each in OPERATIONS))


def _verdict(found: Sequence[Verdict]) -> str:
    if not found:
        return NOTHING
    return "met" if all(each.is_met for each in found) else "**not met**"


def _losses(results: Results) -> str:
    """Where it is slower, or below a bar, with the reason of each."""
    lines: dict[str, list[str]] = {}
    for each in OPERATIONS:
        for delay in view.delays(results):
            found = ratio(results, each.name, delay)
            if found is not None and found < 1 and delay not in BARS[each.name]:
                lines.setdefault(each.name, []).append(f"{found:.2f} at {delay} ms")
    for verdict in verdicts(results):
        if verdict.ratio < 1 or not verdict.is_met:
            text = f"{verdict.ratio:.2f} at {verdict.what} (the bar is {verdict.at_least:g})"
            lines.setdefault(verdict.row, []).append(text)
    told = [
        f"- **{_TITLES[row]}**: {'; '.join(found)}. {REASONS[row]}" for row, found in lines.items()
    ]
    nothing = "In no row is Slipway slower than distribution, and each bar is met."
    return "\n".join(told) or nothing


def _times(results: Results) -> Iterator[str]:
    """The tables that there are results for."""
    yield from filter(None, _all_times(results))


def _all_times(results: Results) -> Iterator[str]:
    yield from (
        _times_of(results, Mode.ONE, delay, f"One request at once, {delay} ms a storage call")
        for delay in view.delays(results)
    )
    yield from (
        _times_of(results, Mode.FOUR, delay, f"{AT_ONCE} at once, {delay} ms a storage call")
        for delay in view.delays(results)
    )
    for delay in view.delays(results):
        yield _times_of(
            results,
            Mode.OPEN,
            delay,
            f"At a constant rate, {delay} ms a storage call",
            "Requests begin at fixed times, whether or not those before have ended: half as many "
            "a second as the slowest registry could serve one by one. A time counts from when "
            "the request was to begin.",
        )


def _times_of(results: Results, mode: Mode, delay: int, title: str, more: str = "") -> str:
    kinds = view.kinds(results)
    rows = []
    for each in OPERATIONS:
        found = [view.times(results, each.name, kind, delay, mode) for kind in kinds]
        if any(found):
            rate = (f"{next(f['rate'] for f in found if f):.1f}",) if mode is Mode.OPEN else ()
            rows.append((_TITLES[each.name], *rate, *map(_percentiles, found)))
    if not rows:
        return ""
    rate_head = ("a second",) if mode is Mode.OPEN else ()
    head = ("operation", *rate_head, *(kind.title for kind in kinds))
    return "\n\n".join(filter(None, (f"### {title}", more, table(head, rows))))


def _percentiles(figures: object) -> str:
    if not isinstance(figures, dict) or not figures:
        return NOTHING
    values = " · ".join(number(figures[name]) for name in ("p50", "p95", "p99"))
    return f"{values} ({figures['count']})"


def _processor(results: Results) -> str:
    kinds = view.kinds(results)
    rows = []
    for each in OPERATIONS:
        found = [view.times(results, each.name, kind, 0).get("cpu_ms") for kind in kinds]
        if any(found):
            rates = (count(1000 / value if value else None) for value in found)
            rows.append((_TITLES[each.name], *map(number, found), *rates))
    if not rows:
        return ""
    head = (
        "operation",
        *(f"{kind.title}, ms" for kind in kinds),
        *(f"{k.title}, a second" for k in kinds),
    )
    return table(head, rows)


def _memory(results: Results) -> str:
    rows = []
    for kind in view.kinds(results):
        found = [
            results.find(MEMORY, registry=kind.value, after=after) or {}
            for after in ("start", "operations")
        ]
        if any(found):
            start, after = found
            figures = (start.get("resident"), after.get("resident"), after.get("peak"))
            rows.append((kind.title, *map(_megabytes, figures)))
    head = ("", "after the first pull", "after all operations", "its peak")
    return table(head, rows) if rows else ""


def _megabytes(value: float | None) -> str:
    return number(None if value is None else value / _MEGABYTE)


def _streams(results: Results) -> str:
    kinds = view.kinds(results)
    keys = {
        (int(each.key["delay"]), int(each.key["at_once"]), int(each.key["mib"]))
        for each in results.of(STREAMS)
    }
    rows = []
    for delay, at_once, mib in sorted(keys):
        found = [
            results.find(STREAMS, registry=kind.value, delay=delay, at_once=at_once, mib=mib) or {}
            for kind in kinds
        ]
        rows.append(
            (
                f"{at_once} x {mib:,} MiB, {delay} ms",
                *(number(each.get("mib_per_second")) for each in found),
                *(number(each.get("cpu_ms_per_mib")) for each in found),
                *(_megabytes(each.get("growth")) for each in found),
                " / ".join(count(each.get("calls")) for each in found),
            )
        )
    if not rows:
        return ""
    titles = [kind.title for kind in kinds]
    head = (
        "layers",
        *(f"{title}, MiB/s" for title in titles),
        *(f"{title}, CPU ms a MiB" for title in titles),
        *(f"{title}, growth MB" for title in titles),
        "storage calls a layer",
    )
    return table(head, rows)
