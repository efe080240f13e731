"""`python -m bench.contenders.engine_host FOLDER`: the production engine, served.

It is run by the engine's own Python. It reads the app settings as one line of JSON, prints where it
serves as another, and ends with its standard input. `FOLDER` is for its log.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from tests.engine.host import EngineHost
from tests.engine.process import ROOT


def main() -> None:
    """Serves until nobody needs it."""
    settings = json.loads(sys.stdin.readline())
    with tempfile.NamedTemporaryFile(dir=sys.argv[1], suffix=".log") as log:
        began = time.perf_counter()
        with EngineHost(ROOT, settings, Path(log.name)) as host:
            took = time.perf_counter() - began
            ready = {
                "base_url": host.base_url,
                "pid": host.engine.pid,
                "seconds": took,
            }
            sys.stdout.write(json.dumps(ready) + "\n")
            sys.stdout.flush()
            sys.stdin.read()


if __name__ == "__main__":
    main()
