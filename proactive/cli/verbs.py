"""What is done to a send that is there, and to a bot: retry, recall, cancel, pause, resume."""

import click

from proactive.cli import show
from proactive.cli.client import segment
from proactive.cli.options import Session, service
from proactive.cli.watch import accepted, watching


@click.command()
@click.argument("send_id", metavar="ID")
@watching
@service
def retry(session: Session, *, send_id: str, at_most: float | None, watch: bool) -> None:
    """Send again to those for whom it failed."""
    answer = session.client.call("POST", f"/sends/{segment(send_id)}/retry", operators=True).body
    accepted(session, answer, watch=watch, at_most=at_most)


@click.command()
@click.argument("send_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@watching
@service
def recall(session: Session, *, send_id: str, yes: bool, at_most: float | None, watch: bool) -> None:
    """Delete what a send has delivered."""
    show.confirm(f"Delete the messages of {send_id} in everybody's chat?", yes=yes)
    answer = session.client.call("POST", f"/sends/{segment(send_id)}/recall", operators=True).body
    accepted(session, answer, watch=watch, at_most=at_most)


@click.command()
@click.argument("send_id", metavar="ID")
@service
def cancel(session: Session, *, send_id: str) -> None:
    """Send no more of a send, and end its wait. Who has the message keeps it."""
    session.client.call("DELETE", f"/sends/{segment(send_id)}")
    if session.as_json:
        show.as_json({"id": send_id, "cancelled": True})
    else:
        show.line(f"{send_id} is cancelled: what is not sent yet is not sent.")


@click.command()
@click.option("--bot", help="Name of the bot; needed where there are several.")
@click.option("--tenant", help="Only there; else in every tenant in which the bot is used.")
@service
def pause(session: Session, *, bot: str | None, tenant: str | None) -> None:
    """Hold what a bot is to send, until it is resumed."""
    _hold(session, "pause", bot, tenant)


@click.command()
@click.option("--bot", help="Name of the bot; needed where there are several.")
@click.option("--tenant", help="Only there; else in every tenant in which the bot is used.")
@service
def resume(session: Session, *, bot: str | None, tenant: str | None) -> None:
    """Let a bot go on."""
    _hold(session, "resume", bot, tenant)


def _hold(session: Session, verb: str, bot: str | None, tenant: str | None) -> None:
    body = {name: value for name, value in (("bot", bot), ("tenant", tenant)) if value}
    answer = session.client.call("POST", f"/{verb}", body=body, operators=True).body
    if session.as_json:
        show.as_json(answer)
    else:
        state = "is held" if answer["paused"] else "goes on"
        show.line(f"The bot {answer['bot']} {state} in {', '.join(answer['tenants'])}.")
