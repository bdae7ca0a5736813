"""A stand-in for the worker's gRPC messages, which `azure_functions_runtime` is handed as its `protos` module.

Field names are those of `FunctionRpc.proto`; only what the library reads or writes is here.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar


class TypedData:
    """One value of one kind (`string`, `bytes`, `json`, `http`, …) or of none, like a protobuf `oneof`."""

    __slots__ = ("bytes", "double", "http", "int", "json", "kind", "string")

    bytes: Any
    http: "RpcHttp"
    string: str

    def __init__(self, **value: object) -> None:
        self.kind: str | None = None
        for self.kind, content in value.items():
            setattr(self, self.kind, content)

    def WhichOneof(self, group: str) -> str | None:  # noqa: ARG002, N802 - protobuf's own signature
        """Say which kind the value is of."""
        return self.kind


@dataclass(slots=True)
class RpcException:
    """Why an invocation or the start failed: `message` is "TypeName: text"."""

    message: str
    stack_trace: str = ""
    source: str = ""


@dataclass(slots=True)
class StatusResult:
    """Whether a request to the worker went well."""

    Failure: ClassVar[int] = 0
    Success: ClassVar[int] = 1

    status: int
    exception: RpcException | None = None


@dataclass(slots=True)
class NullableString:
    """A string that may be absent."""

    value: str


@dataclass(slots=True)
class NullableBool:
    """A truth value that may be absent."""

    value: bool


@dataclass(slots=True)
class NullableDouble:
    """A number that may be absent."""

    value: float


@dataclass(slots=True)
class Timestamp:
    """Seconds since 1970."""

    seconds: int


@dataclass(slots=True)
class NullableTimestamp:
    """A time that may be absent."""

    value: Timestamp


class _SameSite:
    Lax = 1
    Strict = 2
    ExplicitNone = 3


# A Python class cannot have an attribute called None by assignment, and the library asks for it with getattr.
setattr(_SameSite, "None", 0)


@dataclass(slots=True)
class RpcHttpCookie:
    """A cookie that a function sets."""

    SameSite: ClassVar[type[_SameSite]] = _SameSite

    name: str
    value: str
    domain: NullableString | None = None
    path: NullableString | None = None
    expires: NullableTimestamp | None = None
    secure: NullableBool | None = None
    http_only: NullableBool | None = None
    same_site: int = 0
    max_age: NullableDouble | None = None


@dataclass(slots=True)
class RpcHttp:
    """A request as a function gets it, or a response as it gives one."""

    method: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    body: TypedData = field(default_factory=TypedData)
    status_code: str = ""
    cookies: list[RpcHttpCookie] | None = None
    enable_content_negotiation: bool = False


@dataclass(slots=True)
class ParameterBinding:
    """A value for one parameter of a function, or out of one."""

    name: str
    data: TypedData | None

    def WhichOneof(self, group: str) -> str:  # noqa: ARG002, N802 - protobuf's own signature
        """Say how the value travels: always inside the message, never in shared memory."""
        return "data"


@dataclass(slots=True)
class BindingInfo:
    """What the library says about a binding when it indexes a function."""

    undefined: ClassVar[int] = 0
    out: ClassVar[int] = 1
    inout: ClassVar[int] = 2

    type: str
    data_type: int | None
    direction: int


@dataclass(slots=True)
class RpcRetryOptions:
    """A function's retry policy. Queue and HTTP triggers have none, so the host does nothing with it."""

    max_retry_count: int
    retry_strategy: str
    delay_interval: timedelta | None = None
    minimum_interval: timedelta | None = None
    maximum_interval: timedelta | None = None


@dataclass(slots=True)
class RpcFunctionMetadata:
    """An indexed function; `raw_bindings` holds each binding as JSON text."""

    name: str
    function_id: str
    raw_bindings: list[str]
    bindings: dict[str, BindingInfo]
    directory: str
    script_file: str | None
    entry_point: str
    language: str
    managed_dependency_enabled: bool
    is_proxy: bool
    retry_options: RpcRetryOptions | None
    properties: dict[str, str]


@dataclass(slots=True)
class WorkerMetadata:
    """What the worker says about itself."""

    runtime_name: str
    runtime_version: str
    worker_version: str
    worker_bitness: str
    custom_properties: dict[str, str]


@dataclass(slots=True)
class WorkerInitResponse:
    """The answer to `worker_init_request`."""

    capabilities: dict[str, str]
    worker_metadata: WorkerMetadata
    result: StatusResult


@dataclass(slots=True)
class FunctionMetadataResponse:
    """The answer to `functions_metadata_request`; no results at all mean that there is no `function_app.py`."""

    use_default_metadata_indexing: bool
    function_metadata_results: list[RpcFunctionMetadata] | None
    result: StatusResult


@dataclass(slots=True)
class TraceContext:
    """W3C trace context of an invocation: that of its span, which the host has begun."""

    trace_parent: str = ""
    trace_state: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class RetryContext:
    """How often the host's retry policy has retried; locally never."""

    retry_count: int = 0
    max_retry_count: int = 0
    exception: RpcException | None = None


@dataclass(slots=True)
class InvocationRequest:
    """One call of one function."""

    invocation_id: str
    function_id: str
    input_data: list[ParameterBinding]
    trigger_metadata: dict[str, TypedData]
    trace_context: TraceContext
    retry_context: RetryContext


@dataclass(slots=True)
class InvocationResponse:
    """What became of a call."""

    invocation_id: str
    result: StatusResult
    return_value: TypedData | None = None
    output_data: list[ParameterBinding] = field(default_factory=list)
