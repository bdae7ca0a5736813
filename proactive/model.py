"""The words of this field as types: a send, its options, its recipients, and what became of each of them."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from proactive.times import write_duration

type ChatOption = Literal["send", "dontSendAndSucceed", "dontSendAndFail", "postpone"]
type InstallOption = Literal["fail", "succeedWithStatusCode", "install"]
type UnknownOption = Literal["resend", "leave"]
type Verb = Literal["send", "update", "recall"]
type Whom = Literal["", "failed", "delivered"]


class State(StrEnum):
    """Where a recipient stands. All but the first three are final."""

    PENDING = "pending"
    POSTPONED = "postponed"
    SENDING = "sending"
    DELIVERED = "delivered"
    NOT_INSTALLED = "notInstalled"
    CHAT_ACTIVE = "chatActive"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


OPEN_STATES = (State.PENDING, State.POSTPONED, State.SENDING)
FINAL_STATES = tuple(state for state in State if state not in OPEN_STATES)


class SendStatus(StrEnum):
    """Where a send stands as a whole."""

    SCHEDULED = "scheduled"
    ACCEPTED = "accepted"
    DELIVERING = "delivering"
    WAITING = "waiting"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


# 200, 100 and 300 are the codes that makers know from the Teams connector's actions; the others are ours.
DELIVERED = 200
NOT_INSTALLED = 100
CHAT_ACTIVE = 300
NO_SUCH_PERSON = 404
CANCELLED = 409
TOO_LARGE = 413
REFUSED = 502
UNKNOWN = 504


class Result(NamedTuple):
    """What became of one recipient so far.

    `at` is when this state was reached and `retry_at` when a pending one is tried again, in seconds since the epoch.
    """

    state: State
    code: int | None = None
    reason: str = ""
    message_id: str = ""
    conversation_id: str = ""
    attempts: int = 0
    at: float = 0.0
    retry_at: float = 0.0

    @property
    def final(self) -> bool:
        """Whether nothing can change this any more."""
        return self.state in FINAL_STATES


class Recipient(NamedTuple):
    """One person of a plan: `name` as the sender wrote it, `user` the key of the person's conversation, if known.

    `conversation` and `message` are set where a message that was posted before is to be replaced or deleted; `origin`
    (chunk and place) then is where the person stands in the send that posted it. `data` are the person's own.
    """

    name: str
    user: str | None
    conversation: str = ""
    message: str = ""
    origin: tuple[int, int] | None = None
    data: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One recipient as a sender names it, before anybody looked for the people behind it; `data` are its own."""

    kind: Literal["person", "user", "group", "team", "everyone"]
    value: str = ""
    data: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How a send is to be delivered. The defaults are the contract's; `deliver_within` is in seconds."""

    label_as_notification: bool = False
    if_chat_is_active: ChatOption = "send"
    if_bot_not_installed: InstallOption = "fail"
    if_outcome_unknown: UnknownOption = "resend"
    parallelism: int = 20
    deliver_within: float = 86_400

    def as_json(self) -> dict[str, Any]:
        """Return the options as senders write them."""
        return {
            "labelAsNotification": self.label_as_notification,
            "ifChatIsActive": self.if_chat_is_active,
            "ifBotNotInstalled": self.if_bot_not_installed,
            "ifOutcomeUnknown": self.if_outcome_unknown,
            "parallelism": self.parallelism,
            "deliverWithin": write_duration(self.deliver_within),
        }


@dataclass(frozen=True, slots=True)
class Wait:
    """How a card that is a question is waited for; `timeout` is in seconds, `update_message` a text or a card."""

    update_message: str | dict[str, Any] = "Thanks for your response!"
    timeout: float = 30 * 86_400
    complete_when: Literal["first", "all", "each"] = "first"


@dataclass(frozen=True, slots=True)
class Request:
    """A valid request to send, whoever it came from. `send_at` is in seconds since the epoch.

    `data` fill its content for everybody; without any data, None, the content is no template.
    """

    recipients: list[Entry]
    message: str | None = None
    text_format: Literal["markdown", "plain", "xml"] = "markdown"
    card: dict[str, Any] | None = None
    summary: str = ""
    bot: str = ""
    tenant: str = ""
    send_at: float | None = None
    options: Options = field(default_factory=Options)
    wait: Wait | None = None
    callback_url: str = ""
    dry_run: bool = False
    data: dict[str, Any] | None = None


@dataclass(slots=True)
class Send:
    """A send as it is kept: what to deliver, for whom, how, and how far it has come.

    `plan` names the set of chunks that counts (empty: not planned yet); `chunks` is how many there are.
    `verb` is what is done to each person. Where a send repeats, updates or recalls another one, `of` is that one, and
    `whom` says which of its people are meant. `data` fill its activity, which is no template without them.
    `marked` tells that each card carries its person's ticket.
    Times are in seconds since the epoch: `completed_at` is when everybody had a result, `ended_at` when the wait was
    over, `called_at` when the flow first took a callback, `silent_at` when it asked for no more,
    `held_until` until when the answer to its subscription may be held back. `trace` is the W3C traceparent under which
    all that is done for it is told to operators.
    """

    id: str
    secret: str
    content_hash: str
    bot: str
    tenant: str
    created_at: float
    send_at: float | None
    options: Options
    activity: dict[str, Any]
    entries: int
    verb: Verb = "send"
    of: str = ""
    whom: Whom = ""
    marked: bool = False
    plan: str = ""
    total: int = 0
    chunks: int = 0
    cancelled_at: float | None = None
    completed_at: float | None = None
    wait: Wait | None = None
    data: dict[str, Any] | None = field(default=None, repr=False)
    callback_url: str = field(default="", repr=False)
    ended_at: float | None = None
    called_at: float | None = None
    silent_at: float | None = None
    held_until: float | None = None
    trace: str = ""
    etag: str = ""

    @property
    def begins_at(self) -> float:
        """The later of acceptance and `sendAt`, from which every time limit counts."""
        return max(self.created_at, self.send_at or 0.0)

    @property
    def deadline(self) -> float:
        """When trying to deliver ends."""
        return self.begins_at + self.options.deliver_within

    @property
    def closes_at(self) -> float:
        """When a wait is over at the latest."""
        return self.begins_at + (self.wait.timeout if self.wait else 0.0)
