from __future__ import annotations

from pathlib import Path

import pytest

from tests.checkout import copy_sources


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's files, as another checkout has them."""
    return copy_sources(tmp_path / "copy")
