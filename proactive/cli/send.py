"""`send` and `update`: what is to be said, and to whom."""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import IO, Any

import click

from proactive.cli import show
from proactive.cli.client import segment
from proactive.cli.errors import USAGE, CommandError
from proactive.cli.options import Session, service
from proactive.cli.watch import accepted, watching

_WAIT = ("updateMessage", "timeout", "completeWhen")
_OPTIONS = (
    "labelAsNotification",
    "ifChatIsActive",
    "ifBotNotInstalled",
    "ifOutcomeUnknown",
    "parallelism",
    "deliverWithin",
)
_file = click.File("r", encoding="utf-8-sig")


def _content(command: Callable[..., None]) -> Callable[..., None]:
    """Add what a message is made of, which `send` and `update` share."""
    for option in reversed(
        (
            click.argument("message", required=False),
            click.option(
                "--format",
                "text_format",
                type=click.Choice(["markdown", "plain", "xml"]),
                help="How MESSAGE is written.",
            ),
            click.option("--card", type=_file, metavar="FILE", help="An Adaptive Card instead of MESSAGE; - reads it."),
            click.option("--summary", help="What the toast and the activity feed show for a card."),
            click.option("--data", type=_file, metavar="FILE", help="JSON that fills a template; - reads it."),
        )
    ):
        command = option(command)
    return command


@click.command()
@_content
@click.option(
    "--recipients",
    "--to",
    multiple=True,
    metavar="PEOPLE",
    help="Object id, user principal name, mail address or display name; several with ; between. Repeatable.",
)
@click.option("--recipients-file", type=_file, metavar="FILE", help="The same, a line each; - reads them.")
@click.option("--group", multiple=True, metavar="ID", help="Everybody in a group. Repeatable.")
@click.option("--team", multiple=True, metavar="ID", help="Everybody in a team. Repeatable.")
@click.option("--everyone", is_flag=True, help="Everybody who has the bot.")
@click.option("--bot", help="Name of the bot; needed where there are several.")
@click.option("--tenant", help="Tenant id; needed where the bot is used in several.")
@click.option("--wait", is_flag=True, help="The card is a question: wait for an answer to it.")
@click.option(
    "--update-message", "updateMessage", metavar="TEXT", help="What an answered card becomes: text, or a card."
)
@click.option("--timeout", metavar="DURATION", help="How long to wait for answers: PT1M to P30D.")
@click.option(
    "--complete-when", "completeWhen", type=click.Choice(["first", "all", "each"]), help="What ends the wait."
)
@click.option("--callback-url", "callbackUrl", metavar="URL", help="Is called when there is an outcome.")
@click.option("--send-at", "sendAt", metavar="MOMENT", help="Not before: 2026-12-01T08:00:00Z.")
@click.option(
    "--label-as-notification",
    "labelAsNotification",
    is_flag=True,
    default=None,
    help="Ask Teams to show it as a notification.",
)
@click.option(
    "--if-chat-is-active",
    "ifChatIsActive",
    type=click.Choice(["send", "dontSendAndSucceed", "dontSendAndFail", "postpone"]),
    help="For people who are in a chat with the bot.",
)
@click.option(
    "--if-bot-not-installed",
    "ifBotNotInstalled",
    type=click.Choice(["fail", "succeedWithStatusCode", "install"]),
    help="For people who lack the bot.",
)
@click.option(
    "--if-outcome-unknown",
    "ifOutcomeUnknown",
    type=click.Choice(["resend", "leave"]),
    help="Where nobody can tell whether it arrived.",
)
@click.option("--parallelism", type=int, help="Messages in flight: 1 to 50.")
@click.option("--deliver-within", "deliverWithin", metavar="DURATION", help="How long to keep trying: PT1M to P7D.")
@click.option("--idempotency-key", metavar="TEXT", help="The same key and content again is the same send.")
@click.option("--dry-run", "dryRun", is_flag=True, help="Send nothing: tell what would become of it.")
@watching
@service
def send(session: Session, *, idempotency_key: str | None, at_most: float | None, watch: bool, **given: Any) -> None:
    """Send a message or a card to people.

    MESSAGE is the text, in Markdown unless --format says otherwise; - reads it from standard input.
    """
    body = {**_said(given), **_request(given)}
    key = idempotency_key or ("" if body.get("callbackUrl") else f"cli-{uuid.uuid4()}")
    headers = {"Idempotency-Key": key} if key else {}
    try:
        answer = session.client.call("POST", "/sends", body=body, headers=headers).body
    except CommandError as error:
        if error.in_doubt and key:
            error.sentence += (
                f" It may have been accepted: with --idempotency-key {key} the same again sends nobody two."
            )
        raise
    if body.get("dryRun"):
        _show_preview(session, answer)
        return
    accepted(session, answer, watch=watch, at_most=at_most)


@click.command()
@click.argument("send_id", metavar="ID")
@_content
@click.option("--idempotency-key", metavar="TEXT", help="The same key and content again is the same update.")
@watching
@service
def update(
    session: Session, *, send_id: str, idempotency_key: str | None, at_most: float | None, watch: bool, **given: Any
) -> None:
    """Replace what a send has delivered."""
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    path = f"/sends/{segment(send_id)}/update"
    answer = session.client.call("POST", path, body=_said(given), headers=headers, operators=True).body
    accepted(session, answer, watch=watch, at_most=at_most)


def _said(given: dict[str, Any]) -> dict[str, Any]:
    """Return the message or card of a command, and take it out of what was given."""
    text, text_format, card = given.pop("message"), given.pop("text_format"), given.pop("card")
    data = given.pop("data")
    files = [card, data, given.get("recipients_file")]
    if (text == "-") + sum(one is not None and one.name in ("-", "<stdin>") for one in files) > 1:
        raise CommandError(USAGE, "Standard input can be read only once: give the rest as files.")
    if text == "-":
        text = _read(click.open_file("-", encoding="utf-8-sig"))
    if text is None and text_format:
        raise CommandError(USAGE, "--format is how MESSAGE is written: give a message.")
    message = {"text": text, "format": text_format} if text_format else text
    said = {
        "message": message,
        "card": _read(card) if card else None,
        "summary": given.pop("summary"),
        "data": _json(data) if data else None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _json(file: IO[str]) -> Any:
    try:
        return json.loads(_read(file))
    except ValueError as error:
        raise CommandError(USAGE, f"--data is no JSON: {error}.") from None


def _request(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the other fields of a request, without what was not given."""
    people = [name for text in given["recipients"] for name in _names(text.split(";"))]
    if given["recipients_file"]:
        lines = _read(given["recipients_file"]).splitlines()
        people += [name for line in lines for name in _names(line.split(";"))]
    recipients = [
        *people,
        *({"group": group} for group in given["group"]),
        *({"team": team} for team in given["team"]),
        *([{"everyone": True}] if given["everyone"] else []),
    ]
    wait = {name: given[name] for name in _WAIT if given[name] is not None}
    options = {name: given[name] for name in _OPTIONS if given[name] is not None}
    plain = {name: given[name] for name in ("bot", "tenant", "callbackUrl", "sendAt") if given[name]}
    return {
        "recipients": recipients,
        **plain,
        **({"wait": wait} if wait or given["wait"] else {}),
        **({"options": options} if options else {}),
        **({"dryRun": True} if given["dryRun"] else {}),
    }


def _names(parts: Iterable[str]) -> list[str]:
    return [part.strip() for part in parts if part.strip()]


def _read(file: IO[str]) -> str:
    try:
        return file.read()
    except UnicodeDecodeError:
        raise CommandError(USAGE, "What is read should be text in UTF-8.") from None


def _show_preview(session: Session, preview: dict[str, Any]) -> None:
    if session.as_json:
        show.as_json(preview)
        return
    in_time = "" if preview["inTime"] else ", longer than --deliver-within"
    show.facts(
        [
            ("bot", preview["bot"]),
            ("tenant", preview["tenant"]),
            (
                "people",
                preview["counts"]["total"] if preview["complete"] else f"more than {preview['counts']['total']}",
            ),
            ("it", show.counts(preview["counts"])),
            ("takes about", f"{preview['seconds']:g} s{in_time}"),
        ]
    )
    show.table(
        ("recipient", "state", "code", "reason"),
        ((one["recipient"], one["state"], one["statusCode"], one["reason"]) for one in preview["recipients"]),
    )
