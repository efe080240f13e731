"""The end of the host: nobody can put it off, and it comes with the end of the parent."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

# After so many seconds a host that was told to stop stops, whatever its functions do. Requests and
# calls in progress have had their patience long before.
LAST_RESORT = 10.0
_LOOK_EVERY = 0.25


def stop_when_orphaned() -> None:
    """Have this process get SIGTERM when it has lost the parent that it has now.

    By a thread, because an `async` function may block the event loop for ever.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_EVERY)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


class LastResort:
    """Ends the process some time after it is armed, unless it is disarmed before.

    `clean_up` is called at that point, in a thread, as it will not be anywhere else any more.
    """

    def __init__(self, clean_up: Callable[[], None]) -> None:
        self._clean_up = clean_up
        self._deadline: float | None = None
        self._disarmed = False
        threading.Thread(target=self._watch, name="last resort", daemon=True).start()

    def arm(self) -> None:
        """Begin to count. Safe to call again, and in a signal handler, for it takes no lock."""
        if self._deadline is None:
            self._deadline = time.monotonic() + LAST_RESORT

    def disarm(self) -> None:
        """Do not end the process any more."""
        self._disarmed = True

    def _watch(self) -> None:
        while not self._disarmed:
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self._end()
            time.sleep(_LOOK_EVERY)

    def _end(self) -> None:
        print("devhost: stopped in the middle of a function", file=sys.stderr, flush=True)
        try:
            self._clean_up()
        finally:
            os._exit(1)
