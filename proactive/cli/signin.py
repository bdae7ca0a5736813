"""Tokens of whoever has signed in with the Azure CLI, where there is one. `az` keeps the sign-in; here nothing is."""

import shutil
import subprocess

from proactive.cli.errors import REFUSED, USAGE, CommandError

_PATIENCE = 60  # seconds: az is slow to start, and may renew its sign-in first


def az_token(resource: str) -> tuple[str, float]:
    """Return a token for a resource, and when it expires, in seconds since the epoch. Raises `CommandError`."""
    import json

    az = shutil.which("az")
    if az is None:
        raise CommandError(USAGE, "There is no Azure CLI (az) on the PATH to sign in with: install it, or use a key.")
    command = [az, "account", "get-access-token", "--resource", resource, "--output", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)  # noqa: S603 - the user's own az
        if done.returncode:
            why = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it did not say why")
            raise CommandError(REFUSED, f"az gave no token for {resource}: {why}")
        answer = json.loads(done.stdout)
        return str(answer["accessToken"]), float(answer.get("expires_on") or 0)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(REFUSED, f"az gave no token for {resource}: {type(error).__name__}") from None
    except (ValueError, KeyError, TypeError):
        # Its words could hold the token.
        raise CommandError(REFUSED, f"az answered something else than a token for {resource}.") from None
