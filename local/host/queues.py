"""Queue triggers: messages become invocations, by the rules of Azure's queue extension.

    receive up to batchSize, hidden for 10 minutes (renewed at half-time while the function runs)
      ├─ succeeded ─────────────────────────▶ delete
      ├─ failed, dequeued < maxDequeueCount ▶ visible again after visibilityTimeout
      └─ failed, dequeued ≥ maxDequeueCount ▶ moved to <queue>-poison

A `-poison` queue has no poison queue of its own: a message that fails there stays hidden until its 10 minutes are over,
and is not even tried any more once it was dequeued more than maxDequeueCount times.
Source: QueueListener and QueueProcessor in Microsoft.Azure.WebJobs.Extensions.Storage.Queues.
"""

import asyncio
import base64
import json
import logging
import math
import os
import random
import re
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime

from local.host.errors import StartError
from local.host.host_json import Queues
from local.host.protos import TypedData
from local.host.storage import Account, Message, Queue, StorageError
from local.host.worker import Function

LEASE_SECONDS = 600
"""How long a received message is hidden; the extension's own constant."""

MINIMUM_POLLING_SECONDS = 0.1
_POISON = "-poison"
_LONGEST_QUEUE_NAME = 63
_SETTLE_RETRIES = (0.5, 1.0, 2.0, 4.0, 8.0)
_logger = logging.getLogger("local.host")

type Execute = Callable[[TypedData, dict[str, TypedData]], Awaitable[bool]]
"""Runs the function on a message and its metadata; says whether it succeeded."""


class Accounts:
    """The storage accounts that the app's queue triggers name, one pool of connections each."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    def queue(self, function: Function) -> tuple[Queue, Queue | None]:
        """Find a function's queue and its poison queue, where it has one.

        Raises:
            StartError: an app setting that the trigger names is missing or wrong.

        """
        connection = function.trigger.get("connection") or "AzureWebJobsStorage"
        # Azure's host takes both: https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger#connections
        text = os.environ.get(f"AzureWebJobs{connection}") or _setting(function, connection)
        if text not in self._accounts:
            try:
                self._accounts[text] = Account(text)
            except ValueError as error:
                raise StartError(f"the app setting {connection} is wrong: {error}") from None
        name = re.sub("%([^%]+)%", lambda match: _setting(function, match[1]), function.trigger["queueName"])
        poison = name + _POISON
        has_poison = not name.endswith(_POISON) and len(poison) <= _LONGEST_QUEUE_NAME
        account = self._accounts[text]
        return Queue(account, name), Queue(account, poison) if has_poison else None

    async def close(self) -> None:
        """Close all connections."""
        for account in self._accounts.values():
            await account.close()


class Listener:
    """Feeds one function from its queue."""

    def __init__(
        self, queue: Queue, poison: Queue | None, execute: Execute, options: Queues, lease_seconds: int = LEASE_SECONDS
    ) -> None:
        self._queue = queue
        self._poison = poison
        self._execute = execute
        self._options = options
        self._lease = lease_seconds
        self._stopping = asyncio.Event()
        self._room = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._polling: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to take messages."""
        self._polling = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        """Take no more messages, and return when those under way are done."""
        self._stopping.set()
        self._room.set()
        if self._polling:
            await self._polling
        if self._running:
            await asyncio.wait(self._running)

    async def _poll(self) -> None:
        pause = _Pause(self._options.max_polling_interval)
        while not self._stopping.is_set():
            messages = await self._receive()
            if self._stopping.is_set():
                # Received while we were told to stop: another instance shall not wait 10 minutes for them.
                for message in messages:
                    await self._settle(self._queue.hide, message, 0)
            elif messages:
                pause.found()
                for message in messages:
                    self._begin(message)
                await self._wait_for_room()
            else:
                await self._sleep(pause.next())

    async def _receive(self) -> list[Message]:
        try:
            return await self._queue.receive(self._options.batch_size, self._lease)
        except StorageError:
            return []
        except Exception:
            # Whatever a proxy or an emulator may answer, a listener that ended would be noticed too late.
            _logger.exception("queue %s could not be read", self._queue.name)
            return []

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    def _begin(self, message: Message) -> None:
        task = asyncio.create_task(self._process(message))
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if len(self._running) <= self._options.new_batch_threshold:
            self._room.set()
        if not task.cancelled() and (error := task.exception()):
            _logger.error("message of queue %s was not settled", self._queue.name, exc_info=error)

    async def _wait_for_room(self) -> None:
        while len(self._running) > self._options.new_batch_threshold and not self._stopping.is_set():
            self._room.clear()
            await self._room.wait()

    async def _process(self, message: Message) -> None:
        if message.dequeue_count > self._options.max_dequeue_count:
            await self._give_up(message, f"was dequeued {message.dequeue_count} times")
            return
        text = message.text
        if self._options.base64:
            try:
                text = base64.b64decode(text, validate=True).decode()
            except ValueError:
                await self._give_up(message, "is not base64 text, as host.json's messageEncoding says")
                return
        renewal = _Renewal(self._queue, message, self._lease)
        try:
            succeeded = await self._execute(TypedData(string=text), _metadata(message))
        finally:
            await renewal.stop()
        if succeeded:
            await self._settle(self._queue.delete, message)
        elif message.dequeue_count >= self._options.max_dequeue_count:
            await self._give_up(message, f"failed {message.dequeue_count} times")
        elif self._poison:
            await self._settle(self._queue.hide, message, math.ceil(self._options.visibility_timeout))

    async def _give_up(self, message: Message, reason: str) -> None:
        if not self._poison:
            _logger.warning(
                "message %s of queue %s %s; it stays there, hidden for %d s",
                message.id,
                self._queue.name,
                reason,
                self._lease,
            )
            return
        _logger.warning(
            "message %s of queue %s %s: moved to %s", message.id, self._queue.name, reason, self._poison.name
        )
        if await self._settle(self._poison.put, message.text):
            await self._settle(self._queue.delete, message)

    async def _settle[*T](self, call: Callable[[*T], Awaitable[object]], *arguments: *T) -> bool:
        """Tell storage what became of a message. When storage stays away, the message comes back by itself."""
        for delay in (*_SETTLE_RETRIES, None):
            try:
                if await call(*arguments) is False:
                    _logger.debug("a message of queue %s was taken over by somebody else", self._queue.name)
            except StorageError:
                if delay:
                    await asyncio.sleep(delay)
            else:
                return True
        return False


class _Pause:
    """How long to wait while a queue stays empty: 100 ms at first, then exponentially longer, with ±20 % of chance."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._doublings = 0

    def found(self) -> None:
        self._doublings = 0

    def next(self) -> float:
        if not self._doublings:
            self._doublings = 1
            return min(MINIMUM_POLLING_SECONDS, self._longest)
        growth = random.uniform(0.8, 1.2) * 2.0 ** (self._doublings - 1)  # noqa: S311 - no secret
        seconds = MINIMUM_POLLING_SECONDS * (1.0 + growth)
        if seconds >= self._longest:
            return self._longest
        self._doublings += 1
        return seconds


class _Renewal:
    """Keeps a message hidden while its function runs."""

    def __init__(self, queue: Queue, message: Message, lease: int) -> None:
        self._queue = queue
        self._message = message
        self._lease = lease
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(lease / 2, self._begin)

    async def stop(self) -> None:
        """End it; a renewal under way is let finish, since it changes the pop receipt."""
        self._timer.cancel()
        if self._task:
            await self._task
            self._timer.cancel()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        after = self._lease / 2
        try:
            if not await self._queue.hide(self._message, self._lease):
                return
        except StorageError:
            after = self._lease / 10
        self._timer = asyncio.get_running_loop().call_later(after, self._begin)


def _setting(function: Function, name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise StartError(f"function {function.name} needs the app setting {name}")
    return value


def _metadata(message: Message) -> dict[str, TypedData]:
    """Trigger metadata as the host sends it: times and numbers as JSON."""
    return {
        "Id": TypedData(string=message.id),
        "PopReceipt": TypedData(string=message.pop_receipt),
        "DequeueCount": TypedData(json=str(message.dequeue_count)),
        "InsertionTime": _time(message.inserted),
        "ExpirationTime": _time(message.expires),
        "NextVisibleTime": _time(message.next_visible),
    }


def _time(text: str) -> TypedData:
    return TypedData(json=json.dumps(parsedate_to_datetime(text).isoformat()))
