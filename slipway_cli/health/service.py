"""Whether a registry answers: its clock, and what it says of itself."""

from __future__ import annotations

import http.client
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from slipway_cli.command import say
from slipway_cli.health.checks import Failed, Passed, Skipped
from slipway_cli.health.exchange import send
from slipway_cli.registry.server import TIMEOUT_SECONDS, Answer, Server

_PATH = "/healthz"
_PAUSE_SECONDS = 2.0
_LEEWAY_SECONDS = 300
"""How far the two clocks may differ. The registry takes tokens of Entra ID that are so much off."""
_NEAR_SECONDS = 5
_MEANINGS = {
    "storage unreachable": (
        "storage-unreachable",
        "the registry runs, and cannot reach its storage",
        (
            "see docs/runbook.md, 503 from the registry. A new role needs some minutes to work. "
            "Check the storage itself with --storage app, as the identity of the app"
        ),
    ),
    "storage full": (
        "storage-full",
        "the registry runs, and its storage is full",
        "make room: docs/runbook.md, The disk of a team server is full",
    ),
}


def wait(server: Server, seconds: float) -> None:
    """Waits until the registry says that it is well, or the time is over."""
    until, told = time.monotonic() + seconds, False
    while (left := until - time.monotonic()) > 0:
        try:
            answer = server.send("GET", _PATH, timeout=min(TIMEOUT_SECONDS, left))
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        else:
            if answer.status == 200:
                return
            reason = str(answer.status)
        if not told:
            say(f"waiting up to {seconds:g} s for {server.netloc} ({reason})")
            told = True
        time.sleep(max(0.0, min(_PAUSE_SECONDS, until - time.monotonic())))


class Service:
    """One question to the registry, which two checks look at."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._answer: Answer | None = None
        self._failed: Failed | None = None

    def clock(self) -> Passed:
        """Whether this machine's clock goes as the registry's. Asks the question."""
        began = time.time()
        try:
            self._answer = send(self._server, "GET", _PATH)
        except Failed as failed:
            self._failed = failed
            raise Skipped("no-answer", "the registry did not answer", goes_on=True) from failed
        date = self._answer.headers.get("date", "")
        try:
            theirs = parsedate_to_datetime(date)
        except ValueError:
            raise Skipped("no-date", "its answer has no date", goes_on=True) from None
        if theirs.tzinfo is None:
            theirs = theirs.replace(tzinfo=UTC)
        # Of a date without fractions, half a second is the likeliest.
        ours = (began + time.time()) / 2
        offset = round(ours - theirs.timestamp() - 0.5)
        facts = {"offset_seconds": offset, "registry": theirs.astimezone(UTC).isoformat()}
        way = "ahead of" if offset > 0 else "behind"
        if abs(offset) > _LEEWAY_SECONDS:
            raise Failed(
                "clock-off",
                f"the clock of this machine is {_span(abs(offset))} {way} the registry's",
                f"set the clock of whichever is wrong: here it is {_now()}. Tokens are taken for "
                "expired, or for not yet valid, where clocks differ by more than five minutes",
                facts,
            )
        if abs(offset) <= _NEAR_SECONDS:
            return Passed("this machine and the registry have the same time", facts)
        return Passed(f"this machine is {abs(offset)} s {way} the registry", facts)

    def health(self) -> Passed:
        """What the registry says of itself and its storage."""
        if self._failed:
            raise self._failed
        answer = self._answer
        if answer is None:  # The check of the clock ran out of time.
            raise Failed("no-answer", "the registry did not answer", "try again with --wait 120")
        text = answer.body[:200].decode("utf-8", "replace").strip()
        facts = {"status": answer.status}
        if answer.status == 200 and text == "ok":
            return Passed("the registry is well, and reaches its storage", facts)
        if answer.status == 503 and text in _MEANINGS:
            raise Failed(*_MEANINGS[text], facts)
        if answer.status == 503 and text.startswith("storage has schema version"):
            raise Failed("schema", text, "docs/runbook.md, Storage has another schema", facts)
        if answer.status >= 500:
            raise Failed(
                "not-running",
                f"not the registry answered, but what is in front of it: {answer.status}",
                "it is starting, is being replaced, or does not start. Wait with --wait 120; if it "
                "lasts, see docs/runbook.md, A bad deployment",
                facts,
            )
        raise Failed(
            "other-server",
            f"{self._server.netloc} is no Slipway registry: {_PATH} was answered {answer.status}",
            "check the address, and that nothing on the way answers in the registry's place",
            facts,
        )


def _span(seconds: int) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds < 2 * 3600 else f"{seconds / 3600:.0f} hours"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
