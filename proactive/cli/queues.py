"""The queues `sends-poison` and `sends` of a storage account, by connection string or as whoever az has signed in."""

import base64
import contextlib
import json
import re
from collections.abc import Collection, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from proactive.cli.errors import REFUSED, UNREACHABLE, USAGE, CommandError
from proactive.cli.signin import az_token

POISON, SENDS = "sends-poison", "sends"
_AT_ONCE = 16
_HIDDEN = 60  # seconds after which a message that was taken comes back, if we were killed with it
_SHOWN = 32  # the most that can be peeked at
_LARGEST = 65_536  # bytes of a message
_RESOURCE = "https://storage.azure.com"


class Waiting(NamedTuple):
    """A message that waits on `sends-poison`, and since when."""

    id: str
    since: str


class Queues:
    """Both queues of one account."""

    def __init__(self, poison: Any, sends: Any) -> None:
        self._poison = poison
        self._sends = sends

    def waiting(self) -> tuple[int, list[Waiting]]:
        """Return about how many messages wait on `sends-poison`, and the first ones that can be seen."""
        with _refusals():
            if (count := self._count()) == 0:
                return 0, []
            peeked = self._poison.peek_messages(max_messages=_SHOWN)
            shown = [Waiting(message.id, f"{message.inserted_on:%Y-%m-%d %H:%M:%S}Z") for message in peeked]
            return max(count, len(shown)), shown

    def move(self, ids: Collection[str]) -> list[str]:
        """Move messages to `sends`, all that wait now or those with an id, and return their ids.

        What comes back to `sends-poison` meanwhile, because it still is no valid send, is not moved again and again:
        storage dates messages by the second only, so their number counts as well.
        """
        moved: list[str] = []
        kept: dict[str, Any] = {}
        with _refusals(moved):
            began, count = self._now(), self._count()
            try:
                while messages := self._take():
                    for message in messages:
                        late = message.inserted_on > began or (len(moved) >= count and message.id not in moved)
                        if late or (ids and message.id not in ids):
                            kept[message.id] = message
                            continue
                        if message.id not in moved:
                            self._sends.send_message(once(message.content, message.id), time_to_live=-1)
                            moved.append(message.id)
                        with contextlib.suppress(_errors().ResourceNotFoundError):
                            self._poison.delete_message(message)
            finally:
                # What is left is hidden for no longer than need be.
                for message in kept.values():
                    with contextlib.suppress(_errors().AzureError):
                        self._poison.update_message(message, visibility_timeout=0)
        return moved

    def _take(self) -> list[Any]:
        return list(self._poison.receive_messages(max_messages=_AT_ONCE, visibility_timeout=_HIDDEN))

    def _count(self) -> int:
        try:
            return int(self._poison.get_queue_properties().approximate_message_count or 0)
        except _errors().ResourceNotFoundError:
            return 0  # nothing was rejected yet

    def _now(self) -> datetime:
        """Return the moment by storage's own clock, in which messages are dated."""
        dates: list[str] = []
        self._poison.get_queue_properties(
            raw_response_hook=lambda answer: dates.append(answer.http_response.headers["Date"])
        )
        return parsedate_to_datetime(dates[0])


@contextlib.contextmanager
def open_queues(connection_string: str, account: str) -> Iterator[Queues]:
    """Open the queues of an account. Raises `CommandError` where they cannot be."""
    from azure.storage.queue import QueueServiceClient

    how: dict[str, Any] = {"retry_total": 3, "connection_timeout": 5}
    if connection_string:
        try:
            client = QueueServiceClient.from_connection_string(connection_string, **how)
        except ValueError:
            raise CommandError(USAGE, "The connection string is none: look at AzureWebJobsStorage.") from None
    elif account:
        client = QueueServiceClient(_address(account), credential=_AzCredential(), **how)
    else:
        raise CommandError(USAGE, "Which storage account? Give --storage or --account, or set AzureWebJobsStorage.")
    with client:
        yield Queues(client.get_queue_client(POISON), client.get_queue_client(SENDS))


def once(content: str, message_id: str) -> str:
    """Return a message that counts once, however often it is moved: a send without a key of its own gets one.

    Who is interrupted between the two steps leaves the message on both queues. Nothing else is changed.
    """
    text, encoded = content, False
    if text.lstrip()[:1] not in ("{", "["):
        with contextlib.suppress(ValueError):
            text, encoded = base64.b64decode(text.strip(), validate=True).decode("utf-8-sig"), True
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except ValueError:
        return content
    if not isinstance(value, dict) or not value or {"id", "callbackUrl", "specversion", "eventType"} & value.keys():
        return content
    key = json.dumps(f"redriven-{message_id}")
    text = re.sub(r"\{", lambda _: f'{{"id":{key},', text, count=1)
    made = base64.b64encode(text.encode()).decode() if encoded else text
    return made if len(made.encode()) <= _LARGEST else content


class _AzCredential:
    """Whoever is signed in with az, as the storage SDK takes it."""

    def get_token(self, *_scopes: str, **_options: Any) -> Any:
        from azure.core.credentials import AccessToken

        token, expires = az_token(_RESOURCE)
        return AccessToken(token, int(expires))


def _address(account: str) -> str:
    if re.fullmatch(r"[a-z0-9]{3,24}", account):
        return f"https://{account}.queue.core.windows.net"
    if re.fullmatch(r"https://[a-z0-9.-]+/?", account):
        return account.rstrip("/")
    raise CommandError(USAGE, "--account should be the name of a storage account, or https://<its queue service>.")


@contextlib.contextmanager
def _refusals(moved: Collection[str] = ()) -> Iterator[None]:
    """Say in a sentence why storage did not do it, without its own words: these may hold an address with a key."""
    errors = _errors()
    try:
        yield
    except errors.AzureError as error:
        status, name = getattr(error, "status_code", None), getattr(error, "error_code", None)
        refused = status is not None and status < 500
        sentence = (
            f"Storage {'refused it' if refused else 'cannot be reached'} ({name or status or type(error).__name__})."
        )
        if moved:
            sentence += f" {len(moved)} were moved before; the same again goes on."
        raise CommandError(REFUSED if refused else UNREACHABLE, sentence) from None


def _errors() -> Any:
    import azure.core.exceptions

    return azure.core.exceptions
