"""What a send has, or had, for one person: its activity, filled where it is a template."""

from typing import Any

from proactive.filling import Filling, about
from proactive.model import Recipient, Send
from proactive.service import Service
from proactive.store.conversations import Conversation
from proactive.templating.template import FilledTooLargeError, TemplateError


def made_out(service: Service, send: Send, recipient: Recipient, known: Conversation | None) -> dict[str, Any]:
    """Return the activity as a person got it; the template itself where it could not be filled."""
    filling = Filling.of(send, service.settings.max_message_bytes)
    if filling is None:
        return send.activity
    names = (known.mail, known.principal_name, known.name) if known else ("", "", "")
    try:
        return filling.fill(recipient.data, about(recipient.name, recipient.user, *names))
    except (TemplateError, FilledTooLargeError):
        return send.activity
