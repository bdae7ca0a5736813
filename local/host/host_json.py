"""What `host.json` says about routes and queues, with Azure's defaults for what it leaves out.

Source: https://learn.microsoft.com/azure/azure-functions/functions-host-json and `functions-bindings-storage-queue`.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.host.errors import StartError

_TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d{1,7})?)")


@dataclass(frozen=True, slots=True)
class Queues:
    """`extensions.queues`; times in seconds."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    max_polling_interval: float = 60.0
    visibility_timeout: float = 0.0
    base64: bool = True


@dataclass(frozen=True, slots=True)
class HostJson:
    """`host.json`; `function_timeout` in seconds, None for unlimited."""

    route_prefix: str
    function_timeout: float | None
    queues: Queues


def read(app_directory: Path) -> HostJson:
    """Read the app's `host.json`.

    Raises:
        StartError: it is missing, no JSON, or a value is out of Azure's range.

    """
    path = app_directory / "host.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StartError(f"there is no host.json in {app_directory}") from None
    except ValueError as error:
        raise StartError(f"{path} is not JSON: {error}") from None
    extensions = document.get("extensions", {})
    timeout = document.get("functionTimeout", "00:30:00")
    return HostJson(
        route_prefix=extensions.get("http", {}).get("routePrefix", "api").strip("/"),
        function_timeout=None if timeout == "-1" else _seconds("functionTimeout", timeout),
        queues=_queues(extensions.get("queues", {})),
    )


def _queues(values: dict[str, Any]) -> Queues:
    batch_size = _whole(values, "batchSize", 16, 1, 32)
    encoding = values.get("messageEncoding", "base64")
    if encoding not in ("base64", "none"):
        raise StartError(f"host.json: extensions.queues.messageEncoding is {encoding!r}; it can be base64 or none")
    return Queues(
        batch_size=batch_size,
        new_batch_threshold=_whole(values, "newBatchThreshold", batch_size // 2, 0, 1000),
        max_dequeue_count=_whole(values, "maxDequeueCount", 5, 1, 1000),
        # The host polls no less often than its own minimum of 100 ms.
        max_polling_interval=max(0.1, _seconds("maxPollingInterval", values.get("maxPollingInterval", "00:01:00"))),
        visibility_timeout=_seconds("visibilityTimeout", values.get("visibilityTimeout", "00:00:00")),
        base64=encoding == "base64",
    )


def _whole(values: dict[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = values.get(name, default)
    if not isinstance(value, int) or not least <= value <= most:
        raise StartError(f"host.json: extensions.queues.{name} is {value!r}; it can be {least} to {most}")
    return value


def _seconds(name: str, value: object) -> float:
    match = _TIME_SPAN.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise StartError(f"host.json: {name} is {value!r}; it has to be a time span such as 00:00:10")
    days, hours, minutes, seconds = match.groups()
    return int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)
