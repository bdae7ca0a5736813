"""Long work behind the scenes goes on in shifts: each is one message on `waits`, and puts the next.

A watchdog repeats a shift whose process died. One that rings while a shift still works would make two of it, and of
each of them two again; so a shift pushes its watchdog ahead when it begins, and leaves the work to the other where the
watchdog has rung already.
"""

from collections.abc import Sequence
from typing import Any

from proactive.relay import WATCH, watchdog
from proactive.service import Service

SHIFT = 45.0  # seconds: with its last step it ends before the watchdog rings


async def begin(service: Service, chore: dict[str, Any]) -> tuple[bool, Sequence[str]]:
    """Return whether the work of a message is ours to do, and the watchdog to call off once it is done."""
    watch = chore.get("watch", ())
    if not watch:
        return True, ()
    pushed = await service.account.postpone(watchdog(watch), WATCH)
    return (True, (pushed.id, pushed.pop_receipt)) if pushed else (False, ())
