"""A function app with the triggers and faults that the registry does not have."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import JSONResponse, Request, Response

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

# What the functions without an answer were handed, in order.
seen: list[dict[str, object]] = []


@app.route(route="fail", methods=["GET"])
async def fail(req: Request) -> Response:
    """Fail before there is a response."""
    raise RuntimeError("on purpose")


@app.route(route="first", methods=["PATCH"])
async def first(req: Request) -> Response:
    """Answer with the first bytes of the body, whether or not there are more to come."""
    return Response(await anext(req.stream()))


@app.route(route="headers/{*path}", methods=["GET"])
async def headers(req: Request) -> Response:
    """Tell what arrived of the request."""
    return JSONResponse({"path": req.path_params, "headers": dict(req.headers)})


@app.timer_trigger(schedule="0 */5 * * * *", arg_name="timer")
async def sweep(timer: func.TimerRequest) -> None:
    """Note what the timer says."""
    seen.append({"past_due": timer.past_due})


@app.queue_trigger(queue_name="work", connection="AzureWebJobsStorage", arg_name="message")
async def work(message: func.QueueMessage) -> None:
    """Note the message, or fail if it says so."""
    body = message.get_body().decode()
    seen.append(
        {
            "id": message.id,
            "body": body,
            "dequeue_count": message.dequeue_count,
            "pop_receipt": message.pop_receipt,
            "inserted": str(message.insertion_time),
        }
    )
    if body == "fail":
        raise RuntimeError("on purpose")


@app.route(route="seen", methods=["GET"])
async def list_seen(req: Request) -> Response:
    """Tell what was noted since the last call."""
    noted = seen.copy()
    seen.clear()
    return JSONResponse(noted)
