"""The conformance suite of the OCI distribution specification: running it, and telling of it.

The suite is `github.com/opencontainers/distribution-spec/conformance`, pinned in `setup.sh`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.e2e.process import CommandError, run
from tests.e2e.registry import ROOT, Registry

PAGE = ROOT / "docs" / "conformance.md"
BEGIN, END = "<!-- generated: begin -->\n", "<!-- generated: end -->\n"
TIMEOUT = 300.0
TEST = re.compile(r" *(OCI Conformance Test\S*(?: \S+)*): (Pass|Skip|Disabled|FAIL|Error)")
ENTRY = re.compile(r"  (.+?)\.*: +(\S+)")

#: Whatever the suite leaves out unless it is told not to. Only sparse images stay so.
OPTIONS = {
    "OCI_API_BLOBS_ATOMIC": "true",
    "OCI_API_BLOBS_DIGEST_HEADER": "true",
    "OCI_API_BLOBS_MOUNT_ANONYMOUS": "true",
    "OCI_API_BLOBS_UPLOAD_CANCEL": "true",
    "OCI_API_MANIFESTS_ATOMIC": "true",
    "OCI_API_MANIFESTS_DIGEST_HEADER": "true",
    "OCI_API_MANIFESTS_TAG_PARAM": "true",
    "OCI_API_TAGS_ATOMIC": "true",
    "OCI_DATA_SHA512": "true",
}


@dataclass(frozen=True)
class Outcome:
    """What the suite found of one registry."""

    counts: Mapping[str, int]
    """How many tests ended as `Pass`, `Skip`, `Disabled`, `FAIL`, `Error`, and their `Total`."""
    apis: Mapping[str, str]
    data: Mapping[str, str]
    not_passed: Sequence[str]
    """The tests that ended in another way, each with the reason beneath."""
    skipped: Sequence[str]

    @classmethod
    def parse(cls, text: str) -> Outcome:
        """What the suite prints at its end."""
        tests, _, summary = text.partition("OCI Conformance Result:")
        counted, _, rest = summary.partition("API conformance:")
        apis, _, data = rest.partition("Data conformance:")
        lines = tests.partition("\nConfiguration:")[0].splitlines()
        found = [(number, TEST.fullmatch(line)) for number, line in enumerate(lines)]
        failed = [number for number, match in found if match and match[2] in ("FAIL", "Error")]
        return cls(
            {name: int(count) for name, count in ENTRY.findall(counted)},
            dict(ENTRY.findall(apis)),
            dict(ENTRY.findall(data)),
            [line for number in failed for line in lines[number : number + 2]],
            [match[1] for _, match in found if match and match[2] == "Skip"],
        )


@dataclass(frozen=True)
class Run:
    """One way to run the suite."""

    version: str
    how: str
    """What the registry is like, in a word or two."""
    redirect: bool = True
    is_atomic: bool = True
    """Whether every server sees at once what another has deleted."""
    outcome: Outcome | None = field(default=None, compare=False)

    @property
    def title(self) -> str:
        return f"{self.version}, {self.how}"

    @property
    def options(self) -> dict[str, str]:
        """Blob Storage does not send the digest, so that redirected it cannot be asked for."""
        left_out = {"OCI_API_BLOBS_DIGEST_HEADER"} if self.redirect else set()
        if not self.is_atomic:
            left_out |= {name for name in OPTIONS if name.endswith("_ATOMIC")}
        return OPTIONS | dict.fromkeys(left_out, "false")


def run_suite(registry: Registry, how: Run, folder: Path, environment: Mapping[str, str]) -> Run:
    """Runs the whole suite; answers what it found, passed or not."""
    name = how.title.replace(", ", "-").replace(" ", "-")
    settings = {
        "OCI_REGISTRY": registry.address,
        "OCI_TLS": "disabled",
        "OCI_REPO1": f"conformance/{name}/one",
        "OCI_REPO2": f"conformance/{name}/two",
        "OCI_USERNAME": registry.username,
        "OCI_PASSWORD": registry.password,
        "OCI_VERSION": how.version,
        "OCI_RESULTS_DIR": str(folder / name),
        **how.options,
    }
    try:
        said = run(["conformance"], env={**environment, **settings}, timeout=TIMEOUT).stdout
    except CommandError as error:
        said = error.result.stdout
    outcome = Outcome.parse(said.decode())
    assert outcome.counts, f"the suite did not run: {said[-1000:]!r}"
    return replace(how, outcome=outcome)


def table(runs: Sequence[Run]) -> str:
    """The runs side by side, in Markdown."""
    outcomes = [run.outcome for run in runs if run.outcome]
    rows = [["", *(run.title for run in runs)], ["---"] * (len(runs) + 1)]
    for name, heading in {"Pass": "passed", "Skip": "skipped", "FAIL": "failed"}.items():
        rows.append([f"**{heading}**", *(str(o.counts[name]) for o in outcomes)])
    rows.append(["**errors**", *(str(o.counts["Error"]) for o in outcomes)])
    rows.append(["**disabled**", *(str(o.counts["Disabled"]) for o in outcomes)])
    for part in ("apis", "data"):
        tables: list[Mapping[str, str]] = [getattr(outcome, part) for outcome in outcomes]
        rows += [[name, *(each.get(name, "") for each in tables)] for name in sorted(tables[0])]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def write_page(runs: Sequence[Run]) -> bool:
    """Puts the table into the page; False if it was there already."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    now = f"{before}{BEGIN}{table(runs)}{END}{after}"
    if now == text:
        return False
    PAGE.write_text(now)
    return True
