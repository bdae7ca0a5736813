"""What a send does to each of its people: post a message, or replace or delete one that was posted before."""

from typing import NamedTuple

from proactive.model import Recipient, Send
from proactive.reach import post, turn
from proactive.service import Service
from proactive.store.conversations import Conversation
from proactive.teams import Presence
from proactive.verdicts import Kind, Verdict

_NOT_THERE = "ActivityNotFoundInConversation"


class Done(NamedTuple):
    """What Teams made of it, and where the message stands now."""

    verdict: Verdict
    conversation: str
    message: str


async def act(service: Service, send: Send, recipient: Recipient, person: Conversation, content: bytes) -> Done:
    """Do for one person what the send is for."""
    if send.verb == "send":
        install = send.options.if_bot_not_installed == "install"
        verdict, conversation = await post(service, send.bot, send.tenant, person, content, install=install)
        return Done(verdict, conversation, verdict.message_id)
    verdict = await turn(service, recipient.conversation) or await _change(service, send, recipient, person, content)
    if verdict.kind is Kind.DOUBT:
        verdict = verdict._replace(kind=Kind.RETRY)  # doing the same to a message twice changes nothing
    elif verdict.kind in (Kind.GONE, Kind.ELSEWHERE):
        verdict = verdict._replace(kind=Kind.REFUSED)  # a new conversation would not have the message
    return Done(verdict, recipient.conversation, recipient.message)


async def _change(service: Service, send: Send, recipient: Recipient, person: Conversation, content: bytes) -> Verdict:
    who, where = (
        Presence(service.bot(send.bot), send.tenant),
        (person.service_url, recipient.conversation, recipient.message),
    )
    if send.verb == "update":
        return await service.teams.update(who, *where, content)
    verdict = await service.teams.delete(who, *where)
    # What is to be deleted and is not there has become what it was to be.
    return Verdict(Kind.DELIVERED) if verdict.reason == _NOT_THERE else verdict
