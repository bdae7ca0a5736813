"""An instance of the service that can be cut: from then on nothing that it does takes effect any more.

Every call to storage, to Teams and to a flow passes a gate, before it is made and when its answer is there. The call
itself is made outside of the instance, so that what was on its way at the cut arrives, as it would from a real process,
and its answer is lost.
"""

import asyncio
import contextvars
import functools
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

from proactive.service import Service
from proactive.store.account import QueueReceipt

_OF: contextvars.ContextVar["Instance | None"] = contextvars.ContextVar("instance", default=None)
_WRITES = ("insert", "upsert", "update", "delete", "transaction")


class Watcher(Protocol):
    """What an instance tells of itself."""

    def cuts(self, point: str, instance: "Instance") -> bool:
        """Whether an instance ends at this point."""

    def done(self, label: str, arguments: Sequence[Any], result: Any) -> None:
        """A call has taken effect."""

    async def put(self, queue: str, message: Any, delay: float = 0) -> QueueReceipt: ...
    async def postpone(self, receipt: QueueReceipt, delay: float) -> QueueReceipt | None: ...
    async def take_back(self, receipt: QueueReceipt) -> None: ...


class Instance:
    """A process: `service` is what its functions use, `is_cut` is set when it has ended."""

    def __init__(self, service: Service, watcher: Watcher, stirred: asyncio.Event) -> None:
        self.service = service
        self.is_cut = False
        self._watcher = watcher
        self._stirred = stirred
        self._on_their_way: set[asyncio.Task[Any]] = set()
        self._outside = contextvars.copy_context()
        account = service.account
        for name in (*_WRITES, "get"):
            self._gate(account, name, functools.partial(label_of, name))
        for name in ("put", "postpone", "take_back"):
            self._gate(account, name, functools.partial(label_of, name), getattr(watcher, name))
        pages = account.pages

        async def gated_pages(table: str, query: str, **more: Any) -> Any:
            coming = pages(table, query, **more)
            while True:
                page = await self._through(f"page {table}", lambda: anext(coming, None), ())
                if page is None:
                    return
                yield page

        account.pages = gated_pages  # type: ignore[method-assign]
        for name in ("send", "create", "update"):
            self._gate(service.teams, name, lambda *_, name=name: f"Teams {name}")
        self._gate(service.outbound, "post", lambda *_: "call back")
        if service.graph:
            self._gate(service.graph, "install", lambda *_: "Graph install")

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Let the instance do something. Its tasks, and the tasks that they begin, end with it."""
        context = contextvars.copy_context()
        context.run(_OF.set, self)
        return asyncio.create_task(work, context=context)

    async def bury(self) -> None:
        """End what is left of the instance, once what was on its way has arrived."""
        self.is_cut = True
        while self._on_their_way:
            await asyncio.wait(self._on_their_way)
        while mine := [task for task in asyncio.all_tasks() if task.get_context().get(_OF) is self]:
            for task in mine:
                task.cancel()
            await asyncio.wait(mine, timeout=0.01)
        await self.service.close()

    def _gate(
        self, owner: Any, name: str, label: Callable[..., str], real: Callable[..., Awaitable[Any]] | None = None
    ) -> None:
        real = real or getattr(owner, name)

        async def gated(*arguments: Any, **more: Any) -> Any:
            called = label(*arguments)
            return await self._through(called, lambda: real(*arguments, **more), arguments)

        setattr(owner, name, gated)

    async def _through(self, label: str, real: Callable[[], Awaitable[Any]], arguments: Sequence[Any]) -> Any:
        await self._pass(f"before {label}")

        async def outside() -> Any:
            result = await real()
            self._watcher.done(label, arguments, result)
            return result

        task = self._outside.copy().run(asyncio.create_task, outside())
        self._on_their_way.add(task)
        task.add_done_callback(self._on_their_way.discard)
        try:
            result = await asyncio.shield(task)
        except Exception:
            await self._pass("")
            raise
        await self._pass(f"after {label}")
        return result

    async def _pass(self, point: str) -> None:
        if not self.is_cut and point and self._watcher.cuts(point, self):
            self.is_cut = True
            self._stirred.set()
        if self.is_cut:
            await asyncio.get_running_loop().create_future()  # never: a process that has ended goes nowhere


def label_of(method: str, *arguments: Any) -> str:
    """Return what a storage call is and what it touches: `update sends/chunk`, `put timers→lanes`."""
    match method, arguments:
        case "put", (queue, message, *_):
            return f"put {queue}→{message['to']}" if queue == "timers" else f"put {queue}"
        case (("postpone" | "take_back"), (receipt, *_)):
            return f"{method} {receipt.queue}"
        case (("get" | "delete"), (table, partition, row, *_)):
            return f"{method} {table}/{_kind(table, partition, row)}"
        case "transaction", (table, changes):
            kinds = {_kind(table, change[1]["PartitionKey"], change[1]["RowKey"]) for change in changes}
            return f"transaction {table}/{'+'.join(sorted(kinds))}"
        case _, (table, row, *_):
            return f"{method} {table}/{_kind(table, row['PartitionKey'], row['RowKey'])}"
    raise TypeError(f"{method} was called in a way that the chaos does not know")


def _kind(table: str, partition: str, row: str) -> str:
    if table == "conversations":
        return "tenant" if partition == "tenants" else "alias" if "!" in row else "person"
    return "index" if partition.startswith("day-") else row.partition("-")[0]
