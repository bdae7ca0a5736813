"""What a wait needs behind the scenes: its time-out, a look after a crash, the cards of those who did not answer."""

from typing import Any

from proactive import respond, updates, waits
from proactive.model import Send
from proactive.relay import call_off
from proactive.service import Service
from proactive.store.answers import Place


async def run(service: Service, chore: dict[str, Any]) -> None:
    """Do what a message on the queue `waits` asks for. All of it may be done twice."""
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
