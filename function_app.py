"""The function app: each trigger hands its request to the registry, and that is all.

The routes are catch-alls because the Functions host takes the first that matches in order of the
functions' names, knows no 405, and matches HEAD only where it is listed.
"""

import logging
import os

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

from functions import worker_memory
from registry_core.http import edge, health, surfaces
from registry_core.lifecycle import keep_warm, messages, nightly
from registry_core.model.spelling import misspelt
from registry_core.registry import Registry
from registry_core.repositories.messages import QUEUE
from registry_core.settings import Settings

# Those that the worker's own server takes. The host would wait in vain for its answer to any other.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

# The worker's own server logs every address, and one can carry the state of an upload. Each request
# is logged by the registry, without it.
logging.getLogger("uvicorn.access").addFilter(lambda _: False)

for warning in misspelt(os.environ):
    logging.getLogger("slipway").warning("%s", warning)

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
registry = Registry(Settings.from_environment())
_health = health.Health()


def _path(req: Request) -> str:
    """The path below the route's prefix, as the host has decoded it."""
    return "/" + (req.path_params.get("path") or "")


@app.function_name("registry_v2")
@app.route(route="v2/{*path}", methods=METHODS)
async def registry_v2(req: Request) -> Response:
    """The distribution API, `/v2/…`."""
    with worker_memory.forgetting(req):
        return await edge.handle(registry, surfaces.V2, req, _path(req))


@app.function_name("registry_acr")
@app.route(route="acr/v1/{*path}", methods=METHODS)
async def registry_acr(req: Request) -> Response:
    """Azure Container Registry's own API, `/acr/v1/…`."""
    with worker_memory.forgetting(req):
        return await edge.handle(registry, surfaces.ACR, req, _path(req))


@app.function_name("registry_oauth2")
@app.route(route="oauth2/{*path}", methods=METHODS)
async def registry_oauth2(req: Request) -> Response:
    """Sign-in, `/oauth2/token` and `/oauth2/exchange`."""
    with worker_memory.forgetting(req):
        return await edge.handle(registry, surfaces.OAUTH2, req, _path(req))


@app.function_name("web_page")
@app.route(route="{*path}", methods=METHODS)
async def web_page(req: Request) -> Response:
    """The page, `/` and `/ui/…`, and all that does not exist: the last in the order of names."""
    with worker_memory.forgetting(req):
        return await edge.handle(registry, surfaces.PAGE, req, _path(req))


@app.function_name("rotate_signing_keys")
@app.timer_trigger(schedule="0 17 3 * * *", arg_name="timer")
async def rotate_signing_keys(timer: func.TimerRequest) -> None:  # noqa: ARG001
    """Every night, sees whether the keys that sign tokens are due to be replaced."""
    services = await registry.open()
    await services.signing_keys.rotate()


@app.function_name("purge_deleted")
@app.timer_trigger(schedule="0 33 1 * * *", arg_name="timer")
async def purge_deleted(timer: func.TimerRequest) -> None:  # noqa: ARG001
    """Every night, deletes for good what was deleted softly and whose days are over."""
    services = await registry.open()
    await nightly.purge_tonight(services.connection, registry.settings)


@app.function_name("apply_retention")
@app.timer_trigger(schedule="0 13 2 * * *", arg_name="timer")
async def apply_retention(timer: func.TimerRequest) -> None:  # noqa: ARG001
    """Every night, deletes what the retention policy says, if there is one."""
    services = await registry.open()
    await nightly.retain_tonight(services.connection, registry.settings)


@app.function_name("collect_garbage")
@app.timer_trigger(schedule="0 43 2 * * *", arg_name="timer")
async def collect_garbage(timer: func.TimerRequest) -> None:  # noqa: ARG001
    """Every night, collects the garbage in a part of everything."""
    services = await registry.open()
    await nightly.collect_tonight(services.connection, registry.settings)
    await nightly.count_tonight(services.connection, registry.settings)


@app.function_name("take_message")
@app.queue_trigger(queue_name=QUEUE, connection="RegistryStorage", arg_name="message")
async def take_message(message: func.QueueMessage) -> None:
    """When a message is due, does what it says: collects what a deletion has freed."""
    services = await registry.open()
    await messages.take(services.connection, registry.settings, message.get_body())


if registry.settings.backup is not None:
    backed_up = registry.settings.backup

    @app.function_name("back_up")
    @app.timer_trigger(schedule="0 13 * * * *", arg_name="timer")
    async def back_up(timer: func.TimerRequest) -> None:  # noqa: ARG001
        """Every hour, makes today's backup if there is none, or goes on with it."""
        services = await registry.open()
        await nightly.back_up_today(services.connection, registry.settings.storage, backed_up)


if registry.settings.keep_warm is not None:
    kept_warm = registry.settings.keep_warm

    # A time that was missed is not made up for, so none needs to be remembered.
    @app.function_name("keep_warm")
    @app.timer_trigger(schedule=kept_warm.schedule, arg_name="timer", use_monitor=False)
    async def keep_instance_warm(timer: func.TimerRequest) -> None:  # noqa: ARG001
        """As often as it is set, asks this app for its health, so that an instance stays."""
        await keep_warm.ask_health(kept_warm.host)


@app.function_name("healthz")
@app.route(route="healthz", methods=("GET", "HEAD"))
async def healthz(req: Request) -> Response:
    """Whether this instance reaches its storage."""
    with worker_memory.forgetting(req):
        return await _health.get(registry)
