"""zot's benchmark, run against each registry as it is; its own output is kept."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from bench.compare.progress import Progress
from bench.contenders import distribution, go_tools
from bench.contenders.contender import Contender, Kind
from bench.contenders.field import Field
from bench.contenders.go_tools import GoError
from bench.contenders.slipway import USERNAME
from bench.results.recorder import Recorder

ZB = "zb"
"""The part of the results."""
DELAY = 5
_PATIENCE = 420
_WEIGHT = 5.0


@dataclass(frozen=True)
class Load:
    """What zb is told to do."""

    requests: int
    at_once: int


FULL, QUICK = Load(20, 4), Load(2, 1)


class ZbRun:
    """One run of zb at each registry.

    It signs in with a password and knows no tokens. So it asks a distribution that wants neither,
    which has less to do for it.
    """

    def __init__(self, field: Field, load: Load, recorder: Recorder) -> None:
        self._field, self._load, self._recorder = field, load, recorder

    def weight(self) -> float:
        """The steps that it makes."""
        return len(self._field.contenders) * _WEIGHT

    async def measure(self, progress: Progress) -> None:
        """All of them; where zb cannot be had, a word instead. Raises `DevhostError`."""
        program: str | None = None
        for contender in self._field.contenders:
            key: dict[str, str | int | float] = {"registry": contender.kind.value}
            if self._recorder.has(ZB, key):
                progress.skip(_WEIGHT)
                continue
            progress.step(f"zb: {contender.kind.value}", _WEIGHT)
            try:
                program = program or str(go_tools.zb())
            except GoError as error:
                self._recorder.fail(f"zb is left out: {error}")
                return
            self._one(program, contender, key)

    def _one(self, program: str, contender: Contender, key: dict[str, str | int | float]) -> None:
        if contender.kind is Kind.DISTRIBUTION:
            asked = distribution.distribution(
                self._field.azurite, (), self._field.folder, token=False
            )
            try:
                self._run([program], asked, key)
            finally:
                asked.stop()
        else:
            self._run([program, "-A", f"{USERNAME}:{self._field.password}"], contender, key)

    def _run(
        self, command: Sequence[str], asked: Contender, key: dict[str, str | int | float]
    ) -> None:
        load = self._load
        options = ["-c", str(load.at_once), "-n", str(load.requests), "-r", "zb"]
        asked.proxy.delay(DELAY)
        try:
            done = subprocess.run(
                [*command, *options, "-d", str(self._field.folder), asked.base_url],
                capture_output=True,
                check=False,
                text=True,
                timeout=_PATIENCE,
                cwd=self._field.folder,
            )
        except subprocess.TimeoutExpired:
            self._recorder.fail(f"zb at {asked.kind.value}: it took more than {_PATIENCE} s")
            return
        finally:
            asked.proxy.delay(0)
        if done.returncode:
            self._recorder.fail(f"zb at {asked.kind.value}: {done.stderr.strip()[-300:]}")
            return
        text = done.stdout.replace(asked.base_url, "http://registry")
        figures = {"requests": load.requests, "at_once": load.at_once, "output": text.splitlines()}
        self._recorder.put(ZB, key, figures)
