"""What the development host says once it is ready."""

import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from devhost.host.app import FunctionApp
from devhost.settings import Options, password_file
from devhost.triggers.ncrontab import NEVER

READY = "devhost ready "


def welcome(
    options: Options,
    environment: Mapping[str, str],
    port: int,
    app: FunctionApp,
    *,
    password_in_environment: bool,
    storage: Path | None,
) -> str:
    """Return how to log in, push and pull, ending with a line that tells programs the address.

    `storage` is a file for shells that names the Azurite that was started, None if none was. No
    password and no key is in the answer.
    """
    registry = environment["REGISTRY_LOGIN_SERVERS"].partition(",")[0].strip()
    lines = [f"Slipway on {options.scheme}://{registry}", ""]
    login = f"docker login {registry} -u {environment['REGISTRY_ADMIN_USERNAME']} --password-stdin"
    file = password_file(options.data_dir)
    if environment["REGISTRY_ADMIN_USER_ENABLED"].lower() not in {"true", "1", "on", "yes"}:
        lines.append("  (the admin account is off: REGISTRY_ADMIN_USER_ENABLED)")
    elif password_in_environment:
        lines.append(f"  printenv REGISTRY_ADMIN_PASSWORD | {login}")
    elif file.is_file() and file.read_text().strip() == environment["REGISTRY_ADMIN_PASSWORD"]:
        lines.append(f"  {login} < {shlex.quote(str(file))}")
    else:
        lines.append(f"  {login}    # the password is in local.settings.json")
    lines += [
        f"  docker tag hello-world {registry}/hello-world",
        f"  docker push {registry}/hello-world",
        f"  docker pull {registry}/hello-world",
        "",
        "  (instead of hello-world, use any image that `docker images` lists)",
        "",
    ]
    if storage is None:
        lines.append("The storage is the one that RegistryStorage names; no emulator was started.")
    else:
        # Without a slash, a shell would look for it on the PATH.
        file_ = storage if "/" in str(storage) else f"./{storage}"
        lines.append(f"Tokens and roles: . {shlex.quote(str(file_))} && ./slipway --help")
    lines += _triggers(app, datetime.now(UTC))
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.host, options.host)  # noqa: S104 - replaced, not bound
    address = f"[{host}]" if ":" in host else host
    lines.append(f"{READY}{options.scheme}://{address}:{port}")
    return "\n".join(lines)


def _triggers(app: FunctionApp, now: datetime) -> Iterator[str]:
    """Tell of the functions that no request calls."""
    for timer in app.timers:
        following = timer.schedule.next_after(now)
        when = "never" if following == NEVER else f"{following:%Y-%m-%d %H:%M:%S} UTC"
        yield f"Timer {timer.function.name} ({timer.schedule.expression}): next {when}"
    for queue in app.queues:
        yield f"Queue {queue.queue_name}: {queue.function.name}"
    if app.disabled:
        yield f"Switched off by AzureWebJobs.<name>.Disabled: {', '.join(app.disabled)}"
    if app.not_run:
        yield f"Not run here, because their triggers are not supported: {', '.join(app.not_run)}"
