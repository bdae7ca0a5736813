"""What is to be done behind the scenes, and nobody waits for.

For a wait: its time-out, a look after a crash, the cards of those who did not answer. For all sends together, in
shifts: deleting what is old, erasing a person.
"""

from typing import Any

from proactive import erase, respond, sweep, updates, waits
from proactive.model import Send
from proactive.relay import call_off
from proactive.service import Service
from proactive.store.answers import Place

_IN_SHIFTS = {"sweep": sweep.run, "erase": erase.run}


async def run(service: Service, chore: dict[str, Any]) -> None:
    """Do what a message on the queue `waits` asks for. All of it may be done twice."""
    if chore["kind"] in _IN_SHIFTS:
        await _IN_SHIFTS[chore["kind"]](service, chore)
        return
    send = await service.sends.get(chore["send"])
    if send:
        await _do(service, send, chore)
    await call_off(service, chore.get("watch", ()))


async def _do(service: Service, send: Send, chore: dict[str, Any]) -> None:
    match chore["kind"]:
        case "timeout":
            await waits.expire(service, send)
        case "check":
            await respond.mend(service, send, Place(*chore["place"]))
        case "ended":
            await waits.after_end(service, send)
        case "close":
            await updates.close(service, send, chore["chunk"], chore.get("only"), chore.get("attempts", 0))
