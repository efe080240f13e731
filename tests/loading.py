"""The registry's own function app, for apps of the tests that put something around it."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_ROOT = Path(__file__).resolve().parents[1]


def load_app() -> ModuleType:
    """The module `function_app.py` of the registry, under another name than that of the test's."""
    specification = importlib.util.spec_from_file_location("slipway", _ROOT / "function_app.py")
    assert specification
    assert specification.loader
    app = importlib.util.module_from_spec(specification)
    sys.path.insert(0, str(_ROOT))
    specification.loader.exec_module(app)
    return app
