"""What becomes of one recipient: from what is known before anything is sent, and from what Teams answers."""

import math
import random

from proactive.acts import Done
from proactive.memory import ABSENT, refused
from proactive.model import (
    CANCELLED,
    CHAT_ACTIVE,
    DELIVERED,
    NOT_INSTALLED,
    REFUSED,
    TOO_LARGE,
    UNKNOWN,
    Options,
    Result,
    Send,
    State,
)
from proactive.store.conversations import Conversation
from proactive.verdicts import Kind

_LONGEST_BACK_OFF = 300.0  # seconds


def unsent(person: Conversation | None, options: Options, now: float, minutes: float, *, asks: bool) -> Result | None:
    """Return what becomes of somebody to whom a message is not sent now; None for everybody else.

    A chat is active for so many `minutes` after the person's last message. `asks`: see `refused`.
    """
    reason = refused(person, now, asks=asks)
    if reason == ABSENT and person and options.if_bot_not_installed == "install":
        reason = ""  # who lacks the bot is to get it
    if person is None or reason:
        return Result(State.NOT_INSTALLED, NOT_INSTALLED, reason, at=now)
    idle_at = person.idle_from(minutes)
    if idle_at <= now or options.if_chat_is_active == "send":
        return None
    if options.if_chat_is_active == "postpone":
        return Result(State.POSTPONED, None, "chatActive", at=now, retry_at=idle_at)
    return Result(State.CHAT_ACTIVE, CHAT_ACTIVE, "chatActive", at=now)


def before_sending(
    send: Send, before: Result, person: Conversation | None, now: float, minutes: float, *, asks: bool
) -> Result | None:
    """Return what becomes of a recipient of a send without a request to Teams; None where one is to be made."""
    late = now > send.deadline
    result: Result | None
    if late and before.state is not State.POSTPONED:
        result = Result(State.FAILED, REFUSED, before.reason or "deliverWithin", at=now)
        if before.state is State.PENDING and before.code == NOT_INSTALLED:
            result = result._replace(state=State.NOT_INSTALLED, code=NOT_INSTALLED)  # for want of an install
    elif send.verb != "send":
        # What stands in a chat can be changed whoever chats there; whether the bot is there still, Teams will tell.
        result = (
            None
            if person and person.service_url
            else Result(State.NOT_INSTALLED, NOT_INSTALLED, "notInstalled", at=now)
        )
    else:
        result = unsent(person, send.options, now, minutes, asks=asks)
        if late and (result is None or result.state is State.POSTPONED):
            result = Result(State.CHAT_ACTIVE, CHAT_ACTIVE, "chatActive", at=now)
    if result is None:
        return None
    return result._replace(attempts=before.attempts, retry_at=min(result.retry_at, send.deadline))


def after_sending(send: Send, before: Result, done: Done, now: float) -> Result:
    """Return what becomes of a recipient by Teams' answer: a final result, or one that says when to try again."""
    verdict, attempts = done.verdict, before.attempts + 1

    def ended(state: State, code: int) -> Result:
        return Result(state, code, verdict.reason, done.message, done.conversation, attempts=attempts, at=now)

    match verdict.kind:
        case Kind.DELIVERED:
            return ended(State.DELIVERED, DELIVERED)
        case Kind.NOT_INSTALLED:
            return ended(State.NOT_INSTALLED, NOT_INSTALLED)
        case Kind.TOO_LARGE:
            return ended(State.FAILED, TOO_LARGE)
        case Kind.REFUSED:
            return ended(State.FAILED, REFUSED)
        case Kind.DOUBT if send.options.if_outcome_unknown == "leave":
            return ended(State.UNKNOWN, UNKNOWN)
    # Exponential back-off with jitter, as Teams asks for; never sooner than its own Retry-After.
    back_off = min(_LONGEST_BACK_OFF, 2.0 ** min(attempts, 10)) * random.uniform(0.5, 1)  # noqa: S311
    wait = max(back_off, verdict.retry_after)
    # On a grid, so that one more walk over the chunks serves all whose time has come.
    grid = 1.0 if wait < 10 else 5.0
    retry_at = math.ceil((now + wait) / grid) * grid
    if retry_at > send.deadline:
        absent = verdict.kind is Kind.NOT_YET
        return ended(State.NOT_INSTALLED, NOT_INSTALLED) if absent else ended(State.FAILED, REFUSED)
    # The code is what it comes to should there be no next attempt: a copy may be there already, or the bot is not.
    code = NOT_INSTALLED if verdict.kind is Kind.NOT_YET else None
    if verdict.kind is Kind.DOUBT or before.code == UNKNOWN:
        code = UNKNOWN
    return Result(State.PENDING, code, verdict.reason, attempts=attempts, at=now, retry_at=retry_at)


def cancelled(send: Send, before: Result, now: float) -> Result:
    """Return what becomes of a recipient to whom nothing is sent any more."""
    if before.code == UNKNOWN and send.verb == "send":
        return Result(State.UNKNOWN, UNKNOWN, before.reason, attempts=before.attempts, at=now)
    return Result(State.CANCELLED, CANCELLED, "cancelled", attempts=before.attempts, at=now)
