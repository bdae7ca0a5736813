"""A lane that is cut at one of the points at which it touches storage, Teams or Graph."""

import asyncio
from collections.abc import Sequence
from typing import Any

from proactive.deliver import run_lane
from proactive.model import Send
from proactive.store.account import QueueReceipt
from tests.chaos.instance import Instance
from tests.delivery.conftest import House


class _Cut:
    """Cuts at the nth point. What is put on queues is noted by the house, as ever."""

    def __init__(self, house: House, nth: int) -> None:
        self._account = house.service.account
        self._nth = nth
        self._passed = 0
        self.point = ""

    def cuts(self, point: str, instance: Instance) -> bool:
        self._passed += 1
        if self._passed == self._nth:
            self.point = point
        return self._passed == self._nth

    def done(self, label: str, arguments: Sequence[Any], result: Any) -> None:
        pass

    async def put(self, queue: str, message: Any, delay: float = 0) -> QueueReceipt:
        return await self._account.put(queue, message, delay)

    async def postpone(self, receipt: QueueReceipt, delay: float) -> QueueReceipt | None:
        return await self._account.postpone(receipt, delay)

    async def take_back(self, receipt: QueueReceipt) -> None:
        await self._account.take_back(receipt)


async def cut(house: House, send: Send, nth: int) -> str:
    """Run a send's lane in a process that ends at its nth point, and return which that is; empty when it came through.

    What led to the lane stays on its queue, as after a crash: the house finds it there.
    """
    watcher, stirred = _Cut(house, nth), asyncio.Event()
    instance = Instance(house.instance(), watcher, stirred)
    lane = instance.spawn(run_lane(instance.service, send.id))
    ended = asyncio.create_task(stirred.wait())
    await asyncio.wait((lane, ended), return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    await instance.bury()
    return watcher.point
