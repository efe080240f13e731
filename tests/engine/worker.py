"""The production engine in a process of its own: `python -m tests.engine.worker PORT APP_DIR`.

It connects to the host at `PORT` of this machine, as the Functions worker does, and then answers
its messages. In production they are protobuf over gRPC; here they are lines of JSON:

    {"call": "init"}
    {"call": "invoke", "function": ID, "id": INVOCATION ID, "input": {ARGUMENT: DATA},
     "metadata": {NAME: DATA}}

The first has the app indexed and all its functions loaded; the second runs a function. DATA is an
object with one of the fields of a TypedData.

The answer to each is the engine's, with `call` and, of an invocation, its id.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import azure_functions_runtime as engine

from tests.engine import protos

# A message holds no more than a queue message of 64 KiB, escaped.
_LINE_LIMIT = 1024 * 1024


def _request(**message: Any) -> protos.WorkerRequest:
    return protos.WorkerRequest(
        protos.StreamingMessage(**message), {"host": "127.0.0.1", "protos": protos}
    )


async def _init(app_dir: Path) -> dict[str, Any]:
    """Indexes the app and loads its functions; gives the HttpUri and the functions."""
    began = await engine.worker_init_request(
        _request(worker_init_request=protos.WorkerInitRequest(str(app_dir)))
    )
    results = [began.result]
    functions: list[protos.RpcFunctionMetadata] = []
    if began.result.status == protos.StatusResult.Success:
        indexed = await engine.functions_metadata_request(_request())
        functions = indexed.function_metadata_results
        for function in functions:
            message = protos.FunctionLoadRequest(function.function_id)
            loaded = await engine.function_load_request(_request(function_load_request=message))
            results.append(loaded.result)
    return {
        "results": [asdict(result) for result in results],
        "http_uri": began.capabilities.get("HttpUri"),
        "functions": [
            {
                "name": function.name,
                "id": function.function_id,
                "bindings": [json.loads(binding) for binding in function.raw_bindings],
            }
            for function in functions
        ],
    }


def _typed(data: dict[str, Any]) -> protos.TypedData:
    if "http" in data:
        return protos.TypedData(http=protos.RpcHttp(**data["http"]))
    return protos.TypedData(**data)


async def _invoke(call: dict[str, Any]) -> dict[str, Any]:
    """Runs a function once."""
    message = protos.InvocationRequest(
        invocation_id=call["id"],
        function_id=call["function"],
        input_data=[
            protos.ParameterBinding(name, _typed(data)) for name, data in call["input"].items()
        ],
        trigger_metadata={name: _typed(data) for name, data in call["metadata"].items()},
    )
    response = await engine.invocation_request(_request(invocation_request=message))
    return {"id": response.invocation_id, "result": asdict(response.result)}


async def _serve(port: int, app_dir: Path) -> None:
    """Answers the host's calls until it hangs up."""
    engine.start_threadpool_executor()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_LINE_LIMIT)
    under_way: set[asyncio.Task[None]] = set()

    async def answer(call: dict[str, Any]) -> None:
        response = await (_init(app_dir) if call["call"] == "init" else _invoke(call))
        writer.write(json.dumps({"call": call["call"], **response}).encode() + b"\n")

    while line := await reader.readline():
        task = asyncio.create_task(answer(json.loads(line)))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    writer.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
