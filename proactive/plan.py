"""Recipients become people, people become chunks on lanes.

A plan is written under a name of its own and counts from the one conditional write that puts this name into the send.
So a plan that was cut short, or made twice at once, leaves rows that nobody reads, and never doubles anyone.
"""

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence

from proactive.model import REFUSED, Recipient, Result, Send, State, lanes_for
from proactive.people import Planned, resolve
from proactive.service import Service
from proactive.store.account import LANES, PLANS, TIMERS, WAITS, QueueReceipt
from proactive.store.chunks import SIZE, Chunk
from proactive.store.errors import Stale
from proactive.store.persons import place_of_person

log = logging.getLogger(__name__)

WATCH = 75.0  # seconds: a little more than the longest lease of a worker that died


async def plan(service: Service, send_id: str, watch: Sequence[str] = ()) -> None:
    """Make the plan of a send, unless there is one, and start its lanes. `watch` is the message's watchdog."""
    await _plan(service, send_id)
    await call_off(service, watch)


async def _plan(service: Service, send_id: str) -> None:
    send = await service.sends.get(send_id)
    if send is None or send.completed_at:
        log.warning("nothing to plan: send %s is %s", send_id, "completed" if send else "not there")
        return
    if not send.plan:
        people: list[Planned] = []
        async for batch in resolve(service, send.bot, send.tenant, await service.sends.inputs(send)):
            people += batch
        planned = await _commit(service, send, people)
        if planned is None:
            return
        send = planned
    await start_lanes(service, send)


async def give_up(service: Service, send_id: str) -> None:
    """End a send that could not be planned: everybody it names failed."""
    send = await service.sends.get(send_id)
    if send is None or send.completed_at:
        return
    if not send.plan:
        failed = Result(State.FAILED, REFUSED, "planFailed")
        entries = await service.sends.inputs(send)
        planned = await _commit(service, send, [(Recipient(e.value or e.kind, None), failed) for e in entries])
        if planned is None:
            return
        send = planned
    await start_lanes(service, send)


async def _commit(service: Service, send: Send, people: list[Planned]) -> Send | None:
    if len(people) > SIZE:
        # Chunks of neighbours are read from storage in few calls.
        people.sort(key=lambda planned: place_of_person(planned[0].user) if planned[0].user else "")
    name = uuid.uuid4().hex[:8]
    chunks = divide(send.id, name, people, send.options.parallelism)
    await service.chunks.add(chunks)
    try:
        return await service.sends.update(
            send,
            plan=name,
            total=len(people),
            chunks=len(chunks),
            lanes=lanes_for(send.options.parallelism, len(chunks)),
        )
    except Stale:
        # Somebody else planned it, or it was cancelled: whoever looks next finds out which.
        await service.account.put(PLANS, {"send": send.id}, delay=1)
        return None


def divide(send_id: str, plan_name: str, people: Sequence[Planned], parallelism: int) -> list[Chunk]:
    """Return chunks of about equal size, as many on each lane."""
    lanes = lanes_for(parallelism, -(-len(people) // SIZE))
    rounds = max(1, -(-len(people) // (SIZE * lanes)))
    size = max(1, -(-len(people) // (lanes * rounds)))
    chunks = []
    for number, start in enumerate(range(0, len(people), size)):
        some = people[start : start + size]
        results = {n: result for n, (_, result) in enumerate(some) if result}
        chunks.append(Chunk(send_id, plan_name, number, [recipient for recipient, _ in some], results))
    return chunks or [Chunk(send_id, plan_name, 0, [])]


async def start(service: Service, send: Send) -> None:
    """Put a send that is kept on its way, now or when its time has come, and set the time-out of its wait."""
    if send.wait:
        await later(service, send.closes_at, WAITS, {"kind": "timeout", "send": send.id})
    delay = send.begins_at - service.clock()
    if delay > 0:
        await later(service, send.begins_at, PLANS, {"send": send.id})
    elif send.plan:
        await start_lanes(service, send)
    else:
        await put_watched(service, PLANS, {"send": send.id})


async def start_lanes(service: Service, send: Send) -> None:
    """Put a message for each lane on its queue. More than one for a lane does no harm: chunks are leased."""
    await asyncio.gather(
        *(put_watched(service, LANES, {"send": send.id, "lane": lane}) for lane in range(max(1, send.lanes)))
    )


async def put_watched(service: Service, queue: str, body: Mapping[str, object]) -> None:
    """Put a message on a queue, and before it a watchdog that repeats it unless whoever works on it holds it back.

    A queue hides the message of a process that died for ten minutes; the watchdog comes after little more than one.
    """
    watch = await later(service, service.clock() + WATCH, queue, body)
    await service.account.put(queue, {**body, "watch": [watch.id, watch.pop_receipt]})


async def call_off(service: Service, watch: Sequence[str]) -> None:
    """Take the watchdog of a message back, once its work is done."""
    if watch:
        await service.account.take_back(watchdog(watch))


def watchdog(watch: Sequence[str]) -> QueueReceipt:
    """Return the watchdog that a message names."""
    return QueueReceipt(TIMERS, *watch)


async def later(service: Service, at: float, queue: str, body: Mapping[str, object]) -> QueueReceipt:
    """Put a message on `queue` at a moment, in seconds since the epoch, by way of `timers`."""
    timer = {"to": queue, "at": at, "body": body}
    return await service.account.put(TIMERS, timer, delay=max(1.0, at - service.clock()))
