"""`proactive`: the commands, and how they end."""

import os
import sys
from typing import NoReturn

import click

from proactive.cli.errors import INTERRUPTED, USAGE, CommandError
from proactive.cli.people import bots, user
from proactive.cli.poison import redrive, rejected
from proactive.cli.results import results
from proactive.cli.send import send, update
from proactive.cli.verbs import cancel, pause, recall, resume, retry
from proactive.cli.watch import status, watch

_COMMANDS = (send, status, watch, results, cancel, retry, update, recall, bots, user, pause, resume, rejected, redrive)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Exit codes: 0 done, 1 the send failed, 2 wrong usage, 3 refused, 4 not reached, 5 not over yet.",
)
def proactive() -> None:
    """Send proactive messages in Teams, and see what became of them."""


for command in _COMMANDS:
    proactive.add_command(command)


def main() -> NoReturn:
    """Run the command that is asked for, and end the process with its exit code."""
    try:
        code = proactive.main(prog_name="proactive", standalone_mode=False)
        sys.stdout.flush()
    except CommandError as error:
        error.show()
        sys.exit(error.code)
    except click.ClickException as error:
        error.show()
        sys.exit(USAGE)
    except click.Abort:
        click.echo("Nothing was done.", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read has enough. Python would complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)
