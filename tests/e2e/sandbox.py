"""A place of their own for programs that keep state in fixed system folders.

Container tools write to /var/lib, /run and /etc whatever they are told: dockerd keeps a key in
/etc/docker, skopeo a cache in /var/lib/containers. Here they run in a mount namespace in which
these folders belong to the test run: nothing outside changes, and a mount ends with the process
that made it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.e2e.process import Command

_ENTER = """
for folder in var/lib run etc; do mount --bind "$0/$folder" "/$folder" || exit 125; done
exec "$@"
"""


class Sandbox:
    """Private copies of the system folders, and commands that see them in place of the system's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("var/lib", "run"):
            (root / folder).mkdir(parents=True)
        shutil.copytree("/etc", root / "etc", symlinks=True)

    def command(self, argv: Command) -> Command:
        """`argv`, to be run among the private folders."""
        return ["unshare", "--mount", "sh", "-c", _ENTER, self.root, *argv]

    def daemon(self, argv: Command) -> Command:
        """Like `command`, for a daemon: what it starts ends with it, and it ends with the tests.

        In a process namespace of its own the kernel ends every descendant with the daemon. The
        chain of `--pdeathsig` and `--kill-child` ends the daemon when the test run dies, however
        it dies.
        """
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        enter: Command = ["sh", "-c", _ENTER, self.root, *argv]
        return ["setpriv", "--pdeathsig", "KILL", *namespaces, *enter]
