"""How Hypothesis works here: the same examples in every run, however busy the machine is.

A run that draws other examples than the one before would fail by chance, for whoever runs it next.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.checkout import copy_sources

settings.register_profile(
    "repeatable",
    max_examples=40,
    derandomize=True,
    database=None,
    # How long an example takes says more of the machine's load than of the code.
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("repeatable"), max_examples=200)
settings.load_profile("repeatable")  # Unless --hypothesis-profile names another.


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's files, as another checkout has them."""
    return copy_sources(tmp_path / "copy")
