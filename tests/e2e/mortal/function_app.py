"""The registry's own function app, in a process that a request can have killed.

A request with the header `X-Die` gets no answer: the process is killed before or after the
storage call that the header names, as in `before 3` or `after 1`, counted within the request.
"""

import os
import signal
from contextvars import ContextVar

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

from tests.interference.hook import InterferingHook
from tests.interference.kinds import Interference, SeenCall
from tests.loading import load_app

_slipway = load_app()
_functions = {f.get_function_name(): f.get_user_function() for f in _slipway.app.get_functions()}
_sentence: ContextVar[str] = ContextVar("sentence", default="")
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


class Death(Interference):
    """Kills the process, and with it whatever else is under way."""

    async def before(self, call: SeenCall) -> None:
        self._execute(f"before {call.number}")

    async def after(self, call: SeenCall) -> None:
        self._execute(f"after {call.number}")

    def _execute(self, moment: str) -> None:
        if _sentence.get() == moment:
            os.kill(os.getpid(), signal.SIGKILL)


_death = Death()
_slipway.registry.hook = _hook = InterferingHook()
_hook.plan = lambda _: _death if _sentence.get() else None


@app.function_name("registry_v2")
@app.route(route="v2/{*path}", methods=_slipway.METHODS)
async def registry_v2(req: Request) -> Response:
    """The distribution API, until death."""
    _sentence.set(req.headers.get("x-die", ""))
    answer: Response = await _functions["registry_v2"](req)
    return answer


@app.function_name("registry_oauth2")
@app.route(route="oauth2/{*path}", methods=_slipway.METHODS)
async def registry_oauth2(req: Request) -> Response:
    """Sign-in, which nobody dies of."""
    answer: Response = await _functions["registry_oauth2"](req)
    return answer
