"""One function, declared as those of the registry are, that answers 200 with an empty body."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.function_name("empty")
@app.route(route="v2/{*path}", methods=METHODS)
async def empty(req: Request) -> Response:  # noqa: ARG001
    """Answers."""
    return Response()
