"""The registry's own function app on storage that fails now and then, in times that a test sets.

`INTERFERENCE` in the environment is a JSON object: `share` is the part of all storage calls that
fail, `seed` decides which. With `short` the times that the registry counts on are seconds; see
`tests/soak/times.py`. No setting of the registry can do that. `GET /interference` tells what was
done, and an answer in whose course a call failed has the header `X-Interference`.
"""

import json
import os

import azure.functions as func
from azurefunctions.extensions.http.fastapi import JSONResponse, Request, Response

from registry_core.http.surface import Surface
from registry_core.registry import Registry
from tests.interference.chance import ChanceHook, met
from tests.loading import load_app
from tests.soak import times

_slipway = load_app()

_asked = json.loads(os.environ["INTERFERENCE"])
_hook = ChanceHook(_asked["share"], _asked["seed"])
_registry: Registry = _slipway.registry
_registry.hook = _hook
if _asked.get("short"):
    times.shorten(_registry)
_handle = _slipway.edge.handle
app: func.FunctionApp = _slipway.app


async def _handle_and_tell(
    registry: Registry, surface: Surface, request: Request, path: str
) -> Response:
    found: list[str] = []
    met.set(found)
    answer: Response = await _handle(registry, surface, request, path)
    if found:
        answer.headers["X-Interference"] = ",".join(found)
    return answer


_slipway.edge.handle = _handle_and_tell


@app.function_name("interference")
@app.route(route="interference", methods=("GET",))
async def interference(req: Request) -> Response:
    """What was done to the storage calls of this process."""
    return JSONResponse(
        {"calls": _hook.total, "failed": dict(_hook.failed), "repeated": _hook.repeated}
    )
