"""A stand-in for Application Insights: takes what Microsoft's exporter sends, and keeps it to be looked at.

It knows the ingestion protocol as far as the exporter speaks it: `POST /v2.1/track` with a JSON array of envelopes,
gzipped or not, or one envelope a line. What is malformed is refused with 400, as in Azure.
"""

import gzip
import json
import uuid
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from local.loopback import listen

_LARGEST_BODY = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of telemetry: `kind` is its data's, such as `RemoteDependencyData` or `MetricData`."""

    kind: str
    operation: str
    parent: str
    data: dict[str, Any]

    @property
    def name(self) -> str:
        """What it is called: a span, or the metric of a count."""
        metrics = self.data.get("metrics")
        return str(metrics[0]["name"] if metrics else self.data.get("name", ""))

    @property
    def properties(self) -> dict[str, str]:
        """Its custom dimensions."""
        return dict(self.data.get("properties") or {})


@dataclass
class InsightsStandIn:
    """A fake Application Insights on loopback: `async with InsightsStandIn() as insights:`, then `connection_string`.

    `bodies` has all that came, as text; `items` the same, read.
    """

    key: str = field(default_factory=lambda: str(uuid.uuid4()))  # what could not be sent waits on disk under this name
    bodies: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    _runner: web.AppRunner | None = None
    _url: str = ""

    @property
    def connection_string(self) -> str:
        """What the app's setting `APPLICATIONINSIGHTS_CONNECTION_STRING` is to be."""
        return f"InstrumentationKey={self.key};IngestionEndpoint={self._url}/;LiveEndpoint={self._url}/"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_post("/{slash:/?}v2.1/track", self._take)  # the exporter adds a slash of its own
        self._runner, port = await listen(app)
        self._url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._runner:
            await self._runner.cleanup()

    def spans(self, name: str = "") -> list[Item]:
        """Return the spans that came, or those of one name."""
        kinds = ("RemoteDependencyData", "RequestData")
        return [item for item in self.items if item.kind in kinds and name in ("", item.name)]

    def total(self, metric: str, **properties: str) -> float:
        """Return the sum of all that was counted under a name, with these custom dimensions."""
        return sum(
            float(item.data["metrics"][0]["value"])
            for item in self.items
            if item.kind == "MetricData" and item.name == metric and properties.items() <= item.properties.items()
        )

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        text = body.decode()
        try:
            found = (
                json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
            )
            items = [_item(envelope) for envelope in found]
        except (ValueError, KeyError, TypeError) as error:
            return web.json_response({"itemsReceived": 0, "itemsAccepted": 0, "errors": [str(error)]}, status=400)
        self.bodies.append(text)
        self.items += items
        return web.json_response({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []})


def _item(envelope: dict[str, Any]) -> Item:
    tags = envelope.get("tags") or {}
    data = envelope["data"]
    return Item(
        data["baseType"], tags.get("ai.operation.id", ""), tags.get("ai.operation.parentId", ""), data["baseData"]
    )
