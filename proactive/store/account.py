"""The storage account: one pooled client for each of its services, and their errors in our words.

Tables and queues are created when they are found missing, so that a new account needs no preparation; where Bicep made
them, that costs nothing.
"""

import asyncio
import importlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from types import ModuleType
from typing import Any, Literal, NamedTuple

from proactive.rooms import room
from proactive.settings import StorageAccount
from proactive.store.errors import Conflict, Stale, StorageAway, StorageError

TABLES = ("conversations", "sends", "rejected", "pace")
SENDS, PLANS, LANES, TIMERS, ERRANDS = "sends", "plans", "lanes", "timers", "errands"
WAITS, CALLBACKS = "waits", "callbacks"
QUEUES = (SENDS, PLANS, LANES, TIMERS, ERRANDS, WAITS, CALLBACKS)
LONGEST_DELAY = 7 * 86_400  # seconds: a storage queue hides a message no longer

type Row = dict[str, Any]
type Change = tuple[Literal["insert", "delete", "touch"], Row] | tuple[Literal["update"], Row, str]

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
        self._tables: Any = None
        self._queues: Any = None
        self._table_clients: dict[str, Any] = {}
        self._queue_clients: dict[str, Any] = {}
        self._errors: ModuleType | None = None
        self._opening: asyncio.Lock = asyncio.Lock()

    async def _open(self) -> None:
        async with self._opening:
            if self._tables is not None:
                return
            tables = await room("azure.data.tables.aio")
            queues = await room("azure.storage.queue.aio")
            self._errors = await room("azure.core.exceptions")

            def how() -> dict[str, Any]:
                # Without the environment's proxies: looking for them and for ~/.netrc costs a tenth of each call.
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

    async def close(self) -> None:
        """Close the connections."""
        for client in (self._tables, self._queues):
            if client is not None:
                await client.close()
        self._tables = self._queues = None
        self._table_clients.clear()
        self._queue_clients.clear()

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
        try:
            found = await self._table(table, lambda client: client.get_entity(partition, row, select=select))
        except _MissingError:
            return None
        return _row(found)

    async def insert(self, table: str, row: Row) -> str:
        """Add a row and return its ETag. Raises `Conflict` when it is there already."""
        return str((await self._table(table, lambda client: client.create_entity(row)))["etag"])

    async def upsert(self, table: str, row: Row) -> None:
        """Write a row whatever stands there."""
        replace = await self._mode("REPLACE")
        await self._table(table, lambda client: client.upsert_entity(row, mode=replace))

    async def update(self, table: str, row: Row, etag: str, *, merge: bool = False) -> str:
        """Replace a row, or with `merge` only the properties given, if it still has this ETag; return the new one.

        Raises `Stale` when it has another.
        """
        mode = await self._mode("MERGE" if merge else "REPLACE")
        condition = await self._if_unmodified()
        try:
            answer = await self._table(
                table, lambda client: client.update_entity(row, mode=mode, etag=etag, match_condition=condition)
            )
        except _MissingError as error:
            raise Stale from error
        return str(answer["etag"])

    async def delete(self, table: str, partition: str, row: str) -> None:
        """Remove a row if it is there."""
        await self._table(table, lambda client: client.delete_entity(partition, row))

    async def transaction(self, table: str, changes: Sequence[Change]) -> list[str]:
        """Do all changes of one partition or none; return their new ETags (empty for what was removed).

        A change is ("insert", row), ("delete", row), ("update", row, etag), which merges, or ("touch", row), which
        merges into a row that must be there, whatever its ETag. Raises `Conflict` or `Stale`.
        """
        merge = await self._mode("MERGE")
        condition = await self._if_unmodified()
        operations: list[tuple[Any, ...]] = []
        for change in changes:
            match change:
                case ("insert", row):
                    operations.append(("create", row))
                case ("delete", row):
                    operations.append(("delete", row))
                case ("touch", row):
                    operations.append(("update", row, {"mode": merge}))
                case (_, row, etag):
                    operations.append(("update", row, {"mode": merge, "etag": etag, "match_condition": condition}))
        try:
            answers = await self._table(table, lambda client: client.submit_transaction(operations))
        except _MissingError as error:
            raise Stale from error
        return [str(answer.get("etag", "")) for answer in answers]

    async def pages(
        self, table: str, query: str, *, select: Sequence[str] | None = None, top: int = 1000, after: Any = None
    ) -> AsyncIterator[tuple[list[Row], Any]]:
        """Yield the rows that fit `query` page by page, each with where the next page begins (None at the end)."""
        continuation = after
        while True:
            rows, continuation = await self._page(table, query, select, top, continuation)
            yield rows, continuation
            if continuation is None:
                return

    async def rows(self, table: str, query: str, select: Sequence[str] | None = None) -> list[Row]:
        """Return all rows that fit `query`: for bounded sets only."""
        return [row async for page, _ in self.pages(table, query, select=select) for row in page]

    async def _page(
        self, table: str, query: str, select: Sequence[str] | None, top: int, after: Any
    ) -> tuple[list[Row], Any]:
        async def fetch(client: Any) -> tuple[list[Row], Any]:
            pages = client.query_entities(query, select=select, results_per_page=top).by_page(after)
            try:
                page = await anext(pages)
            except StopAsyncIteration:
                return [], None
            return [_row(found) async for found in page], pages.continuation_token or None

        rows: tuple[list[Row], Any] = await self._table(table, fetch)
        return rows

    async def put(self, queue: str, message: Mapping[str, Any] | str, delay: float = 0) -> QueueReceipt:
        """Put a message on a queue, hidden for `delay` seconds (at most seven days), that never expires."""
        text = message if isinstance(message, str) else json.dumps(message, separators=(",", ":"))
        hidden = min(int(delay + 0.999), LONGEST_DELAY) if delay > 0 else 0

        async def send(client: Any) -> Any:
            return await client.send_message(text, visibility_timeout=hidden, time_to_live=-1)

        sent = await self._queue(queue, send)
        return QueueReceipt(queue, sent.id, sent.pop_receipt)

    async def postpone(self, receipt: QueueReceipt, delay: float) -> QueueReceipt | None:
        """Hide a message for `delay` more seconds; None when somebody has taken it in the meantime."""
        try:
            changed = await self._queue(
                receipt.queue,
                lambda client: client.update_message(
                    receipt.id, receipt.pop_receipt, visibility_timeout=int(delay + 0.999)
                ),
            )
        except (_MissingError, StorageError):
            return None
        return QueueReceipt(receipt.queue, receipt.id, changed.pop_receipt)

    async def take_back(self, receipt: QueueReceipt) -> None:
        """Remove a message if nobody has taken it in the meantime."""
        try:
            await self._queue(receipt.queue, lambda client: client.delete_message(receipt.id, receipt.pop_receipt))
        except (_MissingError, StorageError):
            log.debug("a timer had been taken before it could be taken back")

    async def depth(self, queue: str) -> int:
        """Return about how many messages stand on a queue, hidden ones included."""
        properties = await self._queue(queue, lambda client: client.get_queue_properties())
        return int(properties.approximate_message_count)

    async def _table(self, name: str, call: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        await self._open()
        client = self._table_clients.get(name)
        if client is None:
            client = self._table_clients[name] = self._tables.get_table_client(name)
        return await self._call(lambda: call(client))

    async def _queue(self, name: str, call: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        await self._open()
        client = self._queue_clients.get(name)
        if client is None:
            client = self._queue_clients[name] = self._queues.get_queue_client(name)
        return await self._call(lambda: call(client))

    async def _call(self, call: Callable[[], Coroutine[Any, Any, Any]], *, again: bool = True) -> Any:
        try:
            return await call()
        except self._azure("HttpResponseError") as error:
            code = getattr(getattr(error, "error_code", ""), "value", getattr(error, "error_code", "")) or ""
            if error.status_code == 404 and code in ("TableNotFound", "QueueNotFound") and again:
                await self.ensure()
                return await self._call(call, again=False)
            if error.status_code == 404:
                raise _MissingError from error
            if error.status_code == 409 and code in ("EntityAlreadyExists", ""):
                raise Conflict from error
            if error.status_code == 412:
                raise Stale from error
            raise StorageAway(f"storage answered {error.status_code} {code}") from error
        except self._azure("AzureError") as error:
            raise StorageAway(f"storage did not answer: {type(error).__name__}") from error

    def _azure(self, name: str) -> type[Any]:
        errors = self._errors
        if errors is None:
            raise StorageAway("storage was not opened")
        kind: type[Any] = getattr(errors, name)
        return kind

    async def _mode(self, name: str) -> Any:
        await self._open()
        return getattr(importlib.import_module("azure.data.tables").UpdateMode, name)

    async def _if_unmodified(self) -> Any:
        await self._open()
        return importlib.import_module("azure.core").MatchConditions.IfNotModified


class _MissingError(StorageError):
    """The row or message is not there."""


def _row(entity: Any) -> Row:
    return {**entity, "etag": entity.metadata["etag"]}


def quoted(text: str) -> str:
    """Return `text` as a literal of an OData filter."""
    return "'" + text.replace("'", "''") + "'"
