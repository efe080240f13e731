"""A function app whose functions tell what the host handed them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import azure.functions as func
from azurefunctions.extensions.http.fastapi import (
    JSONResponse,
    Request,
    Response,
    StreamingResponse,
)
from starlette.requests import ClientDisconnect

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

# What happened, in order.
events: list[str] = []


@app.route(route="echo/{*path}", methods=["GET", "POST", "PUT", "PATCH"])
async def echo(req: Request) -> Response:
    """Report the request as the function sees it."""
    body = await req.body()
    return JSONResponse(
        {
            "path": req.path_params.get("path"),
            "url_path": req.url.path,
            "scheme": req.url.scheme,
            "query": req.url.query,
            "client": req.client.host if req.client else None,
            "server": ":".join(map(str, req.scope["server"])),
            "headers": [[name.decode(), value.decode()] for name, value in req.headers.raw],
            "size": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
    )


@app.route(route="head", methods=["GET", "HEAD"])
async def head(req: Request) -> Response:
    """Answer with a length that only a HEAD can get away with."""
    return Response(headers={"content-length": "123456789"} if req.method == "HEAD" else {})


@app.route(route="every")
async def every(req: Request) -> Response:
    """Take every method."""
    return Response(req.method)


@app.route(route="item/{name}", methods=["GET"])
async def item(req: Request) -> Response:
    """Report one segment."""
    return Response(req.path_params["name"])


@app.route(route="order/{*path}", methods=["GET"])
async def a_first(req: Request) -> Response:
    """Come first by name, not by precision."""
    return Response("a_first")


@app.route(route="order/exact", methods=["GET", "POST"])
async def b_second(req: Request) -> Response:
    """Be reachable only by a method that the other does not take."""
    return Response("b_second")


@app.route(route="headers", methods=["GET"])
async def response_headers(req: Request) -> Response:
    """Answer with headers the host passes on, and with some it does not."""
    response = Response("x", headers={"keep-alive": "timeout=5", "alt-svc": "h3", "x-kept": "1"})
    response.headers.append("set-cookie", "a=1")
    response.headers.append("set-cookie", "b=2")
    return response


@app.route(route="headers/wide", methods=["GET"])
async def wide_header(req: Request) -> Response:
    """Answer with a header that has an octet above 127."""
    return Response("x", headers={"x-name": "caf\u00e9"})


@app.route(route="started", methods=["PUT", "PATCH"])
async def started(req: Request) -> Response:
    """Note its start, then read the body."""
    events.append("started")
    size = 0
    async for chunk in req.stream():
        size += len(chunk)
    return Response(str(size))


@app.route(route="disconnect", methods=["PATCH"])
async def disconnect(req: Request) -> Response:
    """Note how the body ends."""
    try:
        async for _ in req.stream():
            pass
        events.append("complete")
    except ClientDisconnect:
        events.append("disconnected")
        raise
    return Response()


@app.route(route="events", methods=["GET"])
async def list_events(req: Request) -> Response:
    """Tell what was noted since the last call."""
    noted = events.copy()
    events.clear()
    return JSONResponse(noted)


@app.route(route="note/{event}", methods=["POST"])
async def note(req: Request) -> Response:
    """Note an event of the test's own."""
    events.append(req.path_params["event"])
    return Response()


@app.route(route="fail/before", methods=["GET"])
async def fail_before(req: Request) -> Response:
    """Fail before there is a response."""
    raise RuntimeError("on purpose")


@app.route(route="fail/after", methods=["GET"])
async def fail_after(req: Request) -> Response:
    """Fail in the middle of a response."""

    async def body() -> AsyncIterator[bytes]:
        yield b"begun"
        await asyncio.sleep(0)
        raise RuntimeError("on purpose")

    return StreamingResponse(body())


@app.route(route="fail/none", methods=["GET"])
async def fail_none(req: Request) -> Response:
    """Forget to return anything."""
    return None  # type: ignore[return-value]


release = asyncio.Event()


@app.route(route="hold", methods=["PATCH"])
async def hold(req: Request) -> Response:
    """Leave the body where it is until told otherwise, then count its octets."""
    events.append("holding")
    await release.wait()
    size = 0
    async for chunk in req.stream():
        size += len(chunk)
    return Response(str(size))


@app.route(route="release", methods=["POST"])
async def release_held(req: Request) -> Response:
    """Let the functions on hold go on."""
    release.set()
    return Response()


@app.route(route="early", methods=["PATCH"])
async def early(req: Request) -> Response:
    """Refuse without reading the body."""
    return Response("no", status_code=401)


@app.route(route="sync", methods=["GET"])
def sync(req: Request) -> Response:
    """Run in a thread."""
    return Response("sync")


@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="timer")
def yearly(timer: func.TimerRequest) -> None:
    """Be listed with its next time, which is far away."""
