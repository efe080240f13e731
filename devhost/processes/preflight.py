"""What can be found out before anything is started or made."""

import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from devhost import settings
from devhost.errors import AppError

# In a process of its own, for it has to be the registry of the app, which this one imports later.
_CHECK = """
import sys
sys.path.insert(0, sys.argv[1])
from registry_core.settings import Settings, SettingsError
try:
    Settings.from_environment()
except SettingsError as error:
    sys.exit(str(error))
"""


def check_settings(app_dir: Path, environment: Mapping[str, str]) -> None:
    """Have the registry in `app_dir` look at its settings, if the app is one.

    What this host gives it later, a storage and an administrator, is stood in for.

    Raises:
        AppError: a setting is wrong; the message is the registry's own.
    """
    if not (app_dir / "registry_core").is_dir():
        return
    given = dict(environment)
    if settings.needs_azurite(given):
        given[settings.STORAGE] = settings.DEVELOPMENT_STORAGE
    settings.apply_administrator(given, lambda: secrets.token_urlsafe(32))
    done = subprocess.run(
        [sys.executable, "-c", _CHECK, str(app_dir)],
        env=given,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise AppError(f"a setting is wrong. {done.stderr.strip()}")
