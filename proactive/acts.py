"""What a send does to each of its people: post a message, or replace or delete one that was posted before."""

from typing import NamedTuple

from proactive.model import Recipient, Send
from proactive.service import Service
from proactive.store.conversations import Conversation
from proactive.verdicts import Kind, Verdict

_GONE = "ActivityNotFoundInConversation"


class Done(NamedTuple):
    """What Teams made of it, and where the message stands now."""

    verdict: Verdict
    conversation: str
    message: str


async def act(service: Service, send: Send, recipient: Recipient, person: Conversation, content: bytes) -> Done:
    """Do for one person what the send is for."""
    bot = service.bot(send.bot)
    if send.verb == "send":
        verdict = await service.teams.send(bot, person.service_url, person.conversation_id, content)
        return Done(verdict, person.conversation_id, verdict.message_id)
    conversation, message = recipient.conversation, recipient.message
    if send.verb == "update":
        verdict = await service.teams.update(bot, person.service_url, conversation, message, content)
    else:
        verdict = await service.teams.delete(bot, person.service_url, conversation, message)
        if verdict.reason == _GONE:
            verdict = Verdict(Kind.DELIVERED)  # what is to be deleted is not there: that is what was wanted
    if verdict.kind is Kind.DOUBT:
        verdict = verdict._replace(kind=Kind.RETRY)  # doing the same to a message twice changes nothing
    return Done(verdict, conversation, message)
