"""One send, as addresses name it."""

import re

from proactive.model import Send
from proactive.problems import ProblemError
from proactive.service import Service


async def kept_send(service: Service, send: str) -> Send:
    """Return the send that an address names. Raises `ProblemError` 404."""
    found = await service.sends.get(well_formed(send))
    if found is None:
        raise ProblemError(404, "There is no such send.")
    return found


def well_formed(text: str) -> str:
    """Return an id that storage can be asked for; nothing else was ever given out. Raises `ProblemError` 404."""
    if not re.fullmatch(r"[a-z2-7]{26}", text):
        raise ProblemError(404, "There is no such send.")
    return text
