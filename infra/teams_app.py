"""The Teams app package, made from a deployment's outputs: manifest and icons in a zip to upload.

    azd env get-values > deployed.env && python -m infra.teams_app deployed.env

It needs nothing but Python. The same input gives the same bytes. `--check` judges a package that is there already.
"""

import argparse
import io
import json
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from infra import teams_icons, teams_rules

COLOUR = "#3a4fb0"
_NAME = "Notifications"
_SHORT = "Brings messages and cards of your organisation's flows into your chat."
_FULL = (
    "Flows and systems of your organisation write to you through this bot, with messages and cards. "
    "Some cards ask a question: your answer goes back to the flow that asked."
)


def outputs(text: str) -> dict[str, str]:
    """Read what `azd env get-values` prints: lines of NAME="value"."""
    pairs = [line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#")]
    return {name.strip(): value.strip().removeprefix('"').removesuffix('"') for name, _, value in pairs}


def manifest(given: argparse.Namespace, deployed: Mapping[str, str]) -> dict[str, Any]:
    """Return the manifest: options first, then the deployment's outputs, then what fits everybody."""
    bot = given.bot_id or deployed.get("BOT_APP_ID", "")
    name = given.name or deployed.get("BOT_DISPLAY_NAME") or _NAME
    app = given.app_url or deployed.get("PROACTIVE_PUBLIC_URL") or deployed.get("APP_URL", "")
    website = given.website or app
    graph = given.graph_client_id or deployed.get("GRAPH_CLIENT_ID")
    host = urlsplit(app).hostname
    return {
        "$schema": teams_rules.SCHEMA,
        "manifestVersion": teams_rules.VERSION,
        "version": given.version,
        "id": given.app_id or bot,
        "developer": {
            "name": given.developer or name[:32],
            "websiteUrl": website,
            "privacyUrl": given.privacy or website,
            "termsOfUseUrl": given.terms or website,
        },
        "name": {"short": name, "full": given.full_name or name},
        "description": {"short": given.description, "full": given.full_description},
        "icons": {"color": "color.png", "outline": "outline.png"},
        "accentColor": given.colour,
        "bots": [{"botId": bot, "scopes": ["personal"], "isNotificationOnly": given.notification_only}],
        "defaultInstallScope": "personal",
        "validDomains": [host] if host else [],
        # Whom Graph lets install this app, and no other: TeamsAppInstallation.ReadWriteSelfForUser.All.
        **({"webApplicationInfo": {"id": graph}} if graph else {}),
    }


def package(content: Mapping[str, Any]) -> bytes:
    """Return the zip for a manifest whose accent colour is a colour. The same manifest gives the same bytes."""
    files = {
        "manifest.json": (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode(),
        "color.png": teams_icons.colour(content["accentColor"]),
        "outline.png": teams_icons.outline(),
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)  # of 1 January 1980, always
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # the same on Windows
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, data)
    return made.getvalue()


def main(arguments: list[str]) -> int:
    """Make or check a package; return 1, with a sentence for each broken rule, if Teams would refuse it."""
    given = _arguments().parse_args(arguments)
    try:
        if given.check:
            return _tell(given.check, teams_rules.of_package(given.check.read_bytes()))
        content = manifest(given, outputs(given.outputs.read_text(encoding="utf-8")) if given.outputs else {})
    except (OSError, UnicodeDecodeError) as error:
        return _tell(given.check or given.outputs, [str(error)])
    if broken := teams_rules.of_manifest(content):
        return _tell(given.output, broken)
    made = package(content)
    if broken := teams_rules.of_package(made):
        return _tell(given.output, broken)
    given.output.write_bytes(made)
    return _tell(given.output, [])


def _tell(path: Path, broken: list[str]) -> int:
    for sentence in broken:
        sys.stderr.write(f"{sentence}\n")
    (sys.stderr if broken else sys.stdout).write(f"{path}: {'not made or not right' if broken else 'fine'}\n")
    return 1 if broken else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.teams_app", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("outputs", nargs="?", type=Path, help="what `azd env get-values` printed")
    add("--output", type=Path, default=Path("teams-app.zip"), help="the zip to write (default: %(default)s)")
    add("--check", type=Path, metavar="ZIP", help="judge this package and make none")
    add("--bot-id", help="client id of the bot (default: BOT_APP_ID)")
    add("--app-id", help="GUID of the Teams app; the same for each version of it (default: the bot's)")
    add("--app-url", help="https address of the service (default: PROACTIVE_PUBLIC_URL or APP_URL)")
    add("--graph-client-id", help="who installs the app through Graph (default: GRAPH_CLIENT_ID)")
    add("--version", default="1.0.0", help="has to rise with each upload (default: %(default)s)")
    add("--name", help=f"at most 30 characters (default: BOT_DISPLAY_NAME or {_NAME})")
    add("--full-name", help="at most 100 characters (default: the name)")
    add("--description", default=_SHORT, help="at most 80 characters")
    add("--full-description", default=_FULL, help="at most 4000 characters")
    add("--developer", help="who stands behind it, at most 32 characters (default: the name)")
    add("--website", help="https address of a page about it (default: that of the service)")
    add("--privacy", help="https address of the privacy statement (default: the website)")
    add("--terms", help="https address of the terms of use (default: the website)")
    add("--colour", default=COLOUR, help="behind the icon (default: %(default)s)")
    add("--notification-only", action="store_true", help="nobody can write to the bot; cards still take answers")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
