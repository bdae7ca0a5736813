"""The storage account: what the rest of the house asks of tables and queues, and storage's errors in our words.

Tables and queues are created when they are found missing, so that a new account needs no preparation; where Bicep made
them, that costs nothing. The SDKs create them; all else goes over plain REST, which costs a half to a twelfth of theirs
(docs/decisions/0014).
"""

import asyncio
import importlib
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from email.utils import parsedate_to_datetime
from html import unescape
from types import ModuleType
from typing import Any, NamedTuple
from urllib.parse import quote

from proactive.rooms import room
from proactive.settings import StorageAccount
from proactive.store import batch
from proactive.store.access import Access, Request
from proactive.store.batch import Change
from proactive.store.entities import ACCEPT, Row, path_of, quoted, row_of, written
from proactive.store.errors import Conflict, InDoubt, Stale, StorageAway, StorageError
from proactive.store.rest import Answer, Rest

__all__ = ["Account", "Change", "QueueReceipt", "Row", "quoted"]

TABLES = ("conversations", "sends", "rejected", "pace")
SENDS, PLANS, LANES, TIMERS, ERRANDS = "sends", "plans", "lanes", "timers", "errands"
WAITS, CALLBACKS = "waits", "callbacks"
QUEUES = (SENDS, PLANS, LANES, TIMERS, ERRANDS, WAITS, CALLBACKS)
LONGEST_DELAY = 7 * 86_400  # seconds: a storage queue hides a message no longer

_JSON = {**ACCEPT, "Content-Type": "application/json"}
_INSERT = {**_JSON, "Prefer": "return-no-content"}
_XML = {"Content-Type": "application/xml"}
# Neither an id nor a receipt (base64) holds anything that XML would escape.
_ID = re.compile(rb"<MessageId>([^<]+)<")
_RECEIPT = re.compile(rb"<PopReceipt>([^<]+)<")
_PUT = re.compile(rb"<InsertionTime>([^<]+)<")
_TEXT = re.compile(rb"<MessageText>([^<]*)<")
_NOWHERE = ("TableNotFound", "QueueNotFound")
_UNREADABLE = "storage answered what nobody can read"

log = logging.getLogger(__name__)


class QueueReceipt(NamedTuple):
    """A message that was put on a queue and can still be delayed further or taken back."""

    queue: str
    id: str
    pop_receipt: str


class Account:
    """Tables and queues of one storage account. Every method raises `StorageAway` when storage does not answer."""

    def __init__(self, settings: StorageAccount, credential: Any = None) -> None:
        """Take the token `credential` for an account that is reached by identity."""
        self._settings = settings
        self._credential = credential
        self._rest: Rest | None = None
        self._tables: Any = None
        self._queues: Any = None
        self._errors: ModuleType | None = None
        self._opening: asyncio.Lock = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections."""
        for client in (self._rest, self._tables, self._queues):
            if client is not None:
                await client.close()
        self._rest = self._tables = self._queues = None

    async def ensure(self) -> None:
        """Create every table and queue that is missing."""
        await self._open()
        exists = self._azure("ResourceExistsError")

        async def create(call: Callable[[str], Coroutine[Any, Any, Any]], name: str) -> None:
            try:
                await call(name)
            except exists:
                pass
            except self._azure("AzureError") as error:
                raise StorageAway(f"storage did not create {name}: {type(error).__name__}") from error

        await asyncio.gather(
            *(create(self._tables.create_table, name) for name in TABLES),
            *(create(self._queues.create_queue, name) for name in (*QUEUES, *(f"{name}-poison" for name in QUEUES))),
        )

    async def get(self, table: str, partition: str, row: str, select: Sequence[str] | None = None) -> Row | None:
        """Return one row, or None. Its ETag is under `etag`."""
        query = {"$select": ",".join(select)} if select else {}
        try:
            answer = await self._call(Request("table", "GET", path_of(table, partition, row), query, ACCEPT))
        except _MissingError:
            return None
        return {**row_of(_json(answer)), "etag": _header(answer, "ETag")}

    async def insert(self, table: str, row: Row) -> str:
        """Add a row and return its ETag. Raises `Conflict` when it is there already."""
        answer = await self._call(Request("table", "POST", f"/{table}", {}, _INSERT, written(row)))
        return _header(answer, "ETag")

    async def upsert(self, table: str, row: Row) -> None:
        """Write a row whatever stands there."""
        await self._call(Request("table", "PUT", _path(table, row), {}, _JSON, written(row)))

    async def update(self, table: str, row: Row, etag: str, *, merge: bool = False) -> str:
        """Replace a row, or with `merge` only the properties given, if it still has this ETag; return the new one.

        Raises `Stale` when it has another.
        """
        headers = {**_JSON, "If-Match": etag}
        try:
            answer = await self._call(
                Request("table", "PATCH" if merge else "PUT", _path(table, row), {}, headers, written(row))
            )
        except _MissingError as error:
            raise Stale from error
        return _header(answer, "ETag")

    async def delete(self, table: str, partition: str, row: str) -> None:
        """Remove a row if it is there."""
        try:
            await self._call(
                Request("table", "DELETE", path_of(table, partition, row), {}, {**ACCEPT, "If-Match": "*"})
            )
        except _MissingError:
            log.debug("a row was removed already")

    async def transaction(self, table: str, changes: Sequence[Change]) -> list[str]:
        """Do all changes of one partition or none; return their new ETags (empty for what was removed).

        A change is ("insert", row), ("delete", row), ("update", row, etag), which merges, or ("touch", row), which
        merges into a row that must be there, whatever its ETag. Raises `Conflict` or `Stale`.
        """
        rest = self._line()
        body = batch.body_of(rest.address("table"), table, changes)
        try:
            answer = await self._call(Request("table", "POST", "/$batch", {}, batch.HEADERS, body), batch.outcome)
        except _MissingError as error:
            raise Stale from error
        etags = batch.etags(answer)
        if len(etags) != len(changes):
            raise StorageAway(_UNREADABLE)
        return etags

    async def pages(
        self, table: str, query: str, *, select: Sequence[str] | None = None, top: int = 1000, after: Any = None
    ) -> AsyncIterator[tuple[list[Row], Any]]:
        """Yield the rows that fit `query` page by page, each with where the next page begins (None at the end)."""
        asked = {"$filter": query, "$top": str(top), **({"$select": ",".join(select)} if select else {})}
        while True:
            answer = await self._call(Request("table", "GET", f"/{table}()", {**asked, **(after or {})}, ACCEPT))
            # https://learn.microsoft.com/rest/api/storageservices/query-timeout-and-pagination
            nexts = {
                name: answer.headers.get(f"x-ms-continuation-{name}") for name in ("NextPartitionKey", "NextRowKey")
            }
            after = {name: key for name, key in nexts.items() if key} or None
            yield [row_of(found) for found in _json(answer).get("value", ())], after
            if after is None:
                return

    async def rows(self, table: str, query: str, select: Sequence[str] | None = None) -> list[Row]:
        """Return all rows that fit `query`: for bounded sets only."""
        return [row async for page, _ in self.pages(table, query, select=select) for row in page]

    async def put(self, queue: str, message: Mapping[str, Any] | str, delay: float = 0) -> QueueReceipt:
        """Put a message on a queue, hidden for `delay` seconds (at most seven days), that never expires."""
        text = message if isinstance(message, str) else json.dumps(message, separators=(",", ":"))
        for character, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;")):
            text = text.replace(character, name)
        hidden = min(int(delay + 0.999), LONGEST_DELAY) if delay > 0 else 0
        query = {"messagettl": "-1", "visibilitytimeout": str(hidden)}
        body = f"<QueueMessage><MessageText>{text}</MessageText></QueueMessage>".encode()
        answer = await self._call(Request("queue", "POST", f"/{queue}/messages", query, _XML, body))
        number, receipt = _ID.search(answer.body), _RECEIPT.search(answer.body)
        if number is None or receipt is None:
            raise StorageAway(_UNREADABLE)
        return QueueReceipt(queue, number[1].decode(), receipt[1].decode())

    async def postpone(self, receipt: QueueReceipt, delay: float) -> QueueReceipt | None:
        """Hide a message for `delay` more seconds; None when somebody has taken it in the meantime."""
        query = {"popreceipt": receipt.pop_receipt, "visibilitytimeout": str(int(delay + 0.999))}
        try:
            # Without a body the message keeps its text.
            answer = await self._call(Request("queue", "PUT", _message(receipt), query, {}))
            return QueueReceipt(receipt.queue, receipt.id, _header(answer, "x-ms-popreceipt"))
        except StorageError:
            return None

    async def take_back(self, receipt: QueueReceipt) -> None:
        """Remove a message if nobody has taken it in the meantime."""
        try:
            await self._call(Request("queue", "DELETE", _message(receipt), {"popreceipt": receipt.pop_receipt}, {}))
        except StorageError:
            log.debug("a timer had been taken before it could be taken back")

    async def depth(self, queue: str) -> int:
        """Return about how many messages stand on a queue, hidden ones included."""
        answer = await self._call(Request("queue", "GET", f"/{queue}", {"comp": "metadata"}, {}))
        return int(_header(answer, "x-ms-approximate-messages-count"))

    async def oldest(self, queue: str) -> tuple[float, str] | None:
        """Return when the first visible message of a queue was put, in seconds since the epoch, and its text."""
        query = {"peekonly": "true", "numofmessages": "1"}
        answer = await self._call(Request("queue", "GET", f"/{queue}/messages", query, {}))
        put, text = _PUT.search(answer.body), _TEXT.search(answer.body)
        if put is None:
            return None
        return parsedate_to_datetime(put[1].decode()).timestamp(), unescape(text[1].decode()) if text else ""

    async def _call(self, request: Request, read: Callable[[Answer], Answer] = lambda answer: answer) -> Answer:
        """Make a request as `Rest.call` does, once more after `ensure` where its table or queue is missing.

        Raises our words for every answer that says that it was not carried out, and `InDoubt` where only the repeated
        request was told so.
        """
        rest = self._line()
        answer = await rest.call(request, read)
        if answer.status == 404 and answer.code in _NOWHERE:
            await self.ensure()
            answer = await rest.call(request, read)
        if answer.status < 300:
            return answer
        if answer.in_doubt and answer.status in (404, 409, 412) and request.method not in ("GET", "DELETE"):
            raise InDoubt(f"storage was asked twice and answered {answer.status}")
        if answer.status == 404 and answer.code not in _NOWHERE:
            raise _MissingError
        if answer.status == 409 and answer.code in ("EntityAlreadyExists", ""):
            raise Conflict
        if answer.status == 412:
            raise Stale
        raise StorageAway(f"storage answered {answer.status} {answer.code}".rstrip())

    def _line(self) -> Rest:
        if self._rest is None:
            self._rest = Rest(Access(self._settings, self._credential))
        return self._rest

    async def _open(self) -> None:
        async with self._opening:
            if self._tables is not None:
                return
            tables = await room("azure.data.tables.aio")
            queues = await room("azure.storage.queue.aio")
            self._errors = await room("azure.core.exceptions")

            def how() -> dict[str, Any]:
                # Without the environment's proxies, as over REST.
                http = importlib.import_module("azure.core.pipeline.transport").AioHttpTransport(use_env_settings=False)
                return {"transport": http, "retry_total": 3, "retry_backoff_factor": 0.2, "connection_timeout": 5}

            if self._settings.connection_string:
                text = self._settings.connection_string
                self._queues = queues.QueueServiceClient.from_connection_string(text, **how())
                self._tables = tables.TableServiceClient.from_connection_string(text, **how())
            else:
                who = self._credential
                self._queues = queues.QueueServiceClient(self._settings.queue_url, credential=who, **how())
                self._tables = tables.TableServiceClient(endpoint=self._settings.table_url, credential=who, **how())

    def _azure(self, name: str) -> type[Any]:
        errors = self._errors
        if errors is None:
            raise StorageAway("storage was not opened")
        kind: type[Any] = getattr(errors, name)
        return kind


class _MissingError(StorageError):
    """The row or message is not there."""


def _path(table: str, row: Row) -> str:
    return path_of(table, row["PartitionKey"], row["RowKey"])


def _message(receipt: QueueReceipt) -> str:
    return f"/{receipt.queue}/messages/{quote(receipt.id, safe='')}"


def _header(answer: Answer, name: str) -> str:
    value = answer.headers.get(name)
    if value is None:
        raise StorageAway(_UNREADABLE)
    return value


def _json(answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise StorageAway(_UNREADABLE)
    return found
