"""Deploys while the bots are held, so that nobody is in doubt, and lets them go on whatever became of it.

    .venv/bin/python -m infra.deploy                  # azd deploy
    .venv/bin/python -m infra.deploy -- azd provision

Where the app is, and what opens it, is said as to the command line: PROACTIVE_URL, PROACTIVE_KEY, PROACTIVE_ENTRA_APP
(docs/cli.md). A bot that an operator holds already stays held.

It is no hook of azd's: azd runs none after a deployment that failed, and the bots would stay held.
"""

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

STILL_HELD = 3
"""The exit code when bots could not be let go on. Else it is the command's, that of the call that failed, or 130."""

_INTERRUPTED = 130
_BEFORE = 15.0  # seconds until what has its slot is out and recorded: a second or two, more if Teams is slow
_AFTER = 30.0  # seconds that Azure may take to replace instances (`Recreate`) once a deployment has succeeded
_PATIENCE = 600.0  # seconds for which the app may be away afterwards
_AGAIN = 5.0

type Hold = tuple[str, str]
"""A bot and a tenant."""


class CallError(Exception):
    """A call of the command line failed, with this exit code; it has said why."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


def call(*arguments: str) -> Any:
    """Return what a command of the service's command line answers. Raises `CallError`."""
    command = [sys.executable, "-m", "proactive", *arguments, "--json"]
    # In a session of its own: Ctrl-C is for this script, which has to let the bots go on.
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, start_new_session=True, check=False)  # noqa: S603
    if done.returncode:
        raise CallError(done.returncode)
    return json.loads(done.stdout)


def free() -> list[Hold]:
    """Return where bots are used and not held."""
    return [(bot["name"], each) for bot in call("bots")["bots"] for each in bot["tenants"] if each not in bot["paused"]]


def deploy(command: Sequence[str], *, before: float, after: float, patience: float) -> int:
    """Hold the bots, run a command, and let go on whom this has held; return the exit code."""
    try:
        holds = free()
    except CallError as error:
        say("Nothing is held, nothing was deployed.")
        return error.code
    held: list[Hold] = []
    code = _INTERRUPTED
    try:
        for bot, tenant in holds:
            held.append((bot, tenant))  # first: a call that seems to have failed may have held it
            call("pause", "--bot", bot, "--tenant", tenant)
            say(f"{bot} is held in {tenant}.")
        time.sleep(before if held else 0)
        code = run(command)
        say(f"{command[0]} ended with {code}; the bots go on in {after:.0f} s.")
        time.sleep(after if held else 0)
    except CallError as error:
        say("Nothing was deployed.")
        code = error.code
    except KeyboardInterrupt:
        say("Interrupted: the bots go on before this ends.")
        code = _INTERRUPTED
    finally:
        left = release(held, patience)
    return STILL_HELD if left else code


def run(command: Sequence[str]) -> int:
    """Run a command to its end and return its exit code, 127 where there is none of that name."""
    try:
        process = subprocess.Popen(command)  # noqa: S603 - it is the caller's own
    except OSError as error:
        say(f"{command[0]} cannot be run: {error.strerror}")
        return 127
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise


def release(held: Sequence[Hold], patience: float) -> list[Hold]:
    """Let bots go on, again and again until the app is there; return, and say aloud, who is held for all that."""
    left = list(held)
    end = time.monotonic() + patience
    with contextlib.suppress(KeyboardInterrupt):
        while left:
            bot, tenant = left[0]
            try:
                call("resume", "--bot", bot, "--tenant", tenant)
                say(f"{bot} goes on in {tenant}.")
                del left[0]
            except CallError:
                if time.monotonic() > end:
                    break
                time.sleep(min(_AGAIN, patience))
    if left:
        say("\n!!! THESE BOTS ARE STILL HELD, AND SEND NOTHING. Once the app answers, run:\n")
        for bot, tenant in left:
            say(f"    proactive resume --bot {bot} --tenant {tenant}")
    return left


def say(text: str) -> None:
    """Tell on standard error, as far as somebody is there to read it: a closed terminal is no reason to end."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Have the ways in which a script is ended from outside end it as Ctrl-C does, so that bots go on."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def main(arguments: list[str]) -> int:
    """Deploy, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--before", type=float, default=_BEFORE, metavar="SECONDS", help="wait so long once all are held"
    )
    parser.add_argument("--after", type=float, default=_AFTER, metavar="SECONDS", help="and so long after the command")
    parser.add_argument(
        "--patience", type=float, default=_PATIENCE, metavar="SECONDS", help="for which the app may be away"
    )
    parser.add_argument("command", nargs="*", default=["azd", "deploy"], help="what deploys, after --: azd deploy")
    given = parser.parse_args(arguments)
    with interruptible():
        return deploy(given.command, before=given.before, after=given.after, patience=given.patience)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
