"""The options that every command has: where the service is, what opens it, and whether JSON is wanted."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from proactive.cli.client import Client, connect
from proactive.cli.errors import CommandError
from proactive.cli.signin import az_token

LOCAL = "http://localhost:7071"


@dataclass(frozen=True)
class Session:
    """What a command works with."""

    client: Client
    as_json: bool


def service(command: Callable[..., None]) -> Callable[..., None]:
    """Hand a command a `Session` as its first argument. It stands right above the function."""

    @functools.wraps(command)
    def run(*, url: str, key: str, entra_app: str, door: str, as_json: bool, **rest: Any) -> None:
        try:
            token = az_token(entra_app)[0] if entra_app else ""
            command(Session(connect(url, door, key, token), as_json), **rest)
        except CommandError as error:
            error.as_json = as_json
            raise

    for option in reversed(
        (
            click.option("--url", envvar="PROACTIVE_URL", default=LOCAL, show_default=True, show_envvar=True,
                         help="Address of the service."),
            click.option("--key", envvar="PROACTIVE_KEY", default="", show_default=False, show_envvar=True,
                         help="Function key of the door. The variable keeps it out of the list of processes."),
            click.option("--entra-app", envvar="PROACTIVE_ENTRA_APP", default="", show_envvar=True, metavar="ID",
                         help="Sign in with az to this app (its application ID URI), where it has Entra sign-in."),
            click.option("--door", envvar="PROACTIVE_DOOR", default="ops", type=click.Choice(["ops", "v1"]),
                         show_default=True, show_envvar=True, help="Which key it is: the operators' or the senders'."),
            as_json_option,
        )
    ):  # fmt: skip
        run = option(run)
    return run


as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, errors as well.")
