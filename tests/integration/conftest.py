"""What tests counted is shown at the end, whichever process ran them."""

from __future__ import annotations

import pytest

TALLY = "tally"
"""The property of a test, by `record_property`, that holds a line to be shown."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = terminalreporter.stats.get("passed", ())
    lines = sorted(line for test in passed for name, line in test.user_properties if name == TALLY)
    if lines:
        terminalreporter.section("counted")
    for line in lines:
        terminalreporter.write_line(line)
