"""The messages of the worker protocol (FunctionRpc.proto) that the engine makes or reads.

In production they come over gRPC as protobuf objects; the engine takes them from whatever module it
is given as `protos`, so plain classes of the same names and fields will do. Enumerations are
attributes of their message, as in protobuf.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

# The protocol's names, not ours.
# ruff: noqa: N802


@dataclass(frozen=True)
class RpcException:
    """What a function raised."""

    message: str
    stack_trace: str


@dataclass(frozen=True)
class StatusResult:
    """Whether what was asked for was done."""

    Failure: ClassVar = 0
    Success: ClassVar = 1

    status: int
    exception: RpcException | None = None


@dataclass(frozen=True)
class TypedData:
    """A value of one of several types: the one that is not None."""

    string: str | None = None
    json: str | None = None
    http: RpcHttp | None = None

    def WhichOneof(self, group: str) -> str | None:
        """The name of the field that is set, of those in `group` (there is one group)."""
        return next((name for name, value in vars(self).items() if value is not None), None)


@dataclass(frozen=True)
class RpcHttp:
    """An HTTP request; of a streamed one, only the route's parameters are filled in."""

    params: dict[str, str]
    method: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    body: TypedData = field(default_factory=TypedData)


@dataclass(frozen=True)
class ParameterBinding:
    """An argument of a function."""

    name: str
    data: TypedData

    def WhichOneof(self, group: str) -> str:
        """The name of the field that is set: shared memory is the alternative, unused here."""
        return "data"


@dataclass(frozen=True)
class BindingInfo:
    """A trigger, input or output that a function declares."""

    out: ClassVar = 1
    inout: ClassVar = 2
    undefined: ClassVar = 0

    type: str
    direction: int
    data_type: int | None


@dataclass(frozen=True)
class RpcFunctionMetadata:
    """A function as the worker found it in the app."""

    name: str
    function_id: str
    directory: str
    script_file: str
    entry_point: str
    language: str
    managed_dependency_enabled: bool
    is_proxy: bool
    bindings: dict[str, BindingInfo]
    raw_bindings: list[str]
    """Each a JSON document: of a trigger its type, and the route or schedule or queue."""
    retry_options: None
    properties: dict[str, str]


@dataclass(frozen=True)
class WorkerMetadata:
    """The worker's own words about itself."""

    runtime_name: str
    runtime_version: str
    worker_version: str
    worker_bitness: str
    custom_properties: dict[str, str]


@dataclass(frozen=True)
class WorkerInitRequest:
    """The first message to a worker."""

    function_app_directory: str
    capabilities: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkerInitResponse:
    """Whether the app could be indexed, and where the worker takes forwarded requests."""

    capabilities: dict[str, str]
    worker_metadata: WorkerMetadata
    result: StatusResult


@dataclass(frozen=True)
class FunctionMetadataResponse:
    """All functions of the app."""

    use_default_metadata_indexing: bool
    function_metadata_results: list[RpcFunctionMetadata] | None
    result: StatusResult


@dataclass(frozen=True)
class FunctionLoadRequest:
    """Asks whether a function can be invoked."""

    function_id: str


@dataclass(frozen=True)
class FunctionLoadResponse:
    """Whether it can."""

    function_id: str
    result: StatusResult


@dataclass(frozen=True)
class RpcTraceContext:
    """The trace that an invocation belongs to."""

    trace_parent: str = ""
    trace_state: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RetryContext:
    """How often an invocation has been tried."""

    retry_count: int = 0
    max_retry_count: int = 0
    exception: RpcException | None = None


@dataclass(frozen=True)
class InvocationRequest:
    """Asks to run a function once."""

    invocation_id: str
    function_id: str
    input_data: list[ParameterBinding]
    trigger_metadata: dict[str, TypedData]
    trace_context: RpcTraceContext = field(default_factory=RpcTraceContext)
    retry_context: RetryContext = field(default_factory=RetryContext)


@dataclass(frozen=True)
class InvocationResponse:
    """What became of it."""

    invocation_id: str
    result: StatusResult
    return_value: TypedData | None = None
    output_data: list[ParameterBinding] = field(default_factory=list)


@dataclass(frozen=True)
class StreamingMessage:
    """The envelope of every message to the worker; one field is set."""

    worker_init_request: WorkerInitRequest | None = None
    function_load_request: FunctionLoadRequest | None = None
    invocation_request: InvocationRequest | None = None


@dataclass(frozen=True)
class WorkerRequest:
    """The form in which the worker hands a message to the engine."""

    request: StreamingMessage
    properties: dict[str, Any]
