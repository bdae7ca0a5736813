"""`bots` and `user`: who speaks, and what is known of one person."""

from typing import Any

import click

from proactive.cli import show
from proactive.cli.client import segment
from proactive.cli.errors import USAGE, CommandError
from proactive.cli.options import Session, service

_bot = click.option("--bot", help="Name of the bot; needed where there are several.")
_tenant = click.option("--tenant", help="Tenant id; needed where the bot is used in several.")


@click.command()
@service
def bots(session: Session) -> None:
    """List the bots, their tenants, and holds."""
    found = session.client.call("GET", "/bots").body
    if session.as_json:
        show.as_json(found)
        return
    rows = ((bot["name"], bot["appId"], bot["tenants"], bot.get("paused")) for bot in found["bots"])
    show.table(("name", "app id", "tenants", "held in"), rows)


@click.group()
def user() -> None:
    """See, export or erase what is known of a person."""


@user.command("show")
@click.argument("name")
@_bot
@_tenant
@service
def show_user(session: Session, *, name: str, bot: str | None, tenant: str | None) -> None:
    """Show whether a person has the bot, and when they last wrote to it."""
    found = session.client.call("GET", _path(session, bot, name), query={"tenant": tenant}).body
    if session.as_json:
        show.as_json(found)
    else:
        show.facts(found.items())


@user.command("idle")
@click.argument("name")
@_bot
@_tenant
@service
def idle(session: Session, *, name: str, bot: str | None, tenant: str | None) -> None:
    """End the active chat of a person."""
    path = f"{_path(session, bot, name)}/idle"
    session.client.call("POST", path, query={"tenant": tenant}, operators=True)
    _done(session, name, "idle", "The chat is over: what was postponed goes out.")


@user.command("data")
@click.argument("name")
@_bot
@_tenant
@service
def data(session: Session, *, name: str, bot: str | None, tenant: str | None) -> None:
    """Print all that is kept about a person, always as JSON."""
    path = f"{_path(session, bot, name)}/data"
    found = session.client.call("GET", path, query={"tenant": tenant}, operators=True).body
    while found["continuation"]:
        query = {"tenant": tenant, "continuation": found["continuation"]}
        more = session.client.call("GET", path, query=query, operators=True).body
        found = {**found, "messages": found["messages"] + more["messages"], "continuation": more["continuation"]}
    show.as_json(found)


@user.command("erase")
@click.argument("name")
@_bot
@_tenant
@click.option("--yes", is_flag=True, help="Do not ask.")
@service
def erase(session: Session, *, name: str, bot: str | None, tenant: str | None, yes: bool) -> None:
    """Erase all that is kept about a person."""
    path = f"{_path(session, bot, name)}/data"
    show.confirm(f"Erase all that is kept about {name}?", yes=yes)
    answer = session.client.call("DELETE", path, query={"tenant": tenant}, operators=True)
    _done(session, name, "erased", answer.body["detail"] if answer.status == 202 else "Nothing is kept any more.")


def _done(session: Session, name: str, what: str, sentence: str) -> None:
    if session.as_json:
        show.as_json({"user": name, what: True, "detail": sentence})
    else:
        show.line(sentence)


def _path(session: Session, bot: str | None, name: str) -> str:
    return f"/bots/{segment(bot or _only_bot(session))}/users/{segment(name)}"


def _only_bot(session: Session) -> str:
    found: list[dict[str, Any]] = session.client.call("GET", "/bots").body["bots"]
    if len(found) != 1:
        raise CommandError(
            USAGE, f"There are several bots: name one with --bot ({', '.join(b['name'] for b in found)})."
        )
    name: str = found[0]["name"]
    return name
