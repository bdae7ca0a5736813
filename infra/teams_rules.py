"""What Teams asks of an app package with a personal bot, checked before an upload is refused.

Source: https://developer.microsoft.com/json-schemas/teams/v1.19/MicrosoftTeams.schema.json. Of its fields those are
known here that such a package has; any other is told as unknown. Where a rule is stricter than the schema, it says so.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from infra import teams_icons

VERSION = "1.19"
SCHEMA = f"https://developer.microsoft.com/json-schemas/teams/v{VERSION}/MicrosoftTeams.schema.json"

_GUID = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
# The schema says any text: Teams refuses addresses and ports, and a wildcard stands for the first label only.
_DOMAIN = re.compile(r"(\*\.)?([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?\.)+[a-zA-Z]{2,}")
_ICONS = {"icons.color": teams_icons.COLOUR_SIZE, "icons.outline": teams_icons.OUTLINE_SIZE}


@dataclass(frozen=True, slots=True)
class Text:
    """The rule for one text; `longest` counts UTF-16 units, as JavaScript does."""

    longest: int
    pattern: re.Pattern[str] | None = None
    meaning: str = ""
    required: bool = True
    https: bool = False


_TEXTS = {
    "$schema": Text(2048, https=True, required=False),
    "manifestVersion": Text(8, re.compile(re.escape(VERSION)), f"has to be {VERSION}"),
    "version": Text(256, _SEMVER, "has to be three numbers, as in 1.0.0"),
    "id": Text(36, _GUID, "has to be a GUID"),
    "developer.name": Text(32),
    "developer.websiteUrl": Text(2048, https=True),
    "developer.privacyUrl": Text(2048, https=True),
    "developer.termsOfUseUrl": Text(2048, https=True),
    "name.short": Text(30),
    "name.full": Text(100),
    "description.short": Text(80),
    "description.full": Text(4000),
    "icons.color": Text(2048),
    "icons.outline": Text(2048),
    "accentColor": Text(7, _COLOUR, "has to be a colour, as in #3a4fb0"),
    "webApplicationInfo.id": Text(36, _GUID, "has to be a GUID", required=False),
    "defaultInstallScope": Text(8, re.compile("personal"), "has to be personal", required=False),
    "bots.0.botId": Text(36, _GUID, "has to be a GUID"),
}
_FLAGS = ("bots.0.isNotificationOnly", "bots.0.supportsCalling", "bots.0.supportsFiles", "bots.0.supportsVideo")


def of_package(package: bytes) -> list[str]:
    """Return a sentence for each rule that a zip breaks: its files, the manifest, the icons."""
    try:
        with zipfile.ZipFile(io.BytesIO(package)) as file:
            content = {name: file.read(name) for name in file.namelist()}
        manifest = json.loads(content["manifest.json"])
    except KeyError:
        return ["manifest.json: has to be in the zip, not in a folder of it"]
    except (zipfile.BadZipFile, ValueError) as error:
        return [f"the package cannot be read: {error}"]
    if not isinstance(manifest, dict):
        return ["manifest.json: has to be an object"]
    icons = {field: _get(manifest, field) for field in _ICONS}
    spare = content.keys() - {"manifest.json", *(name for name in icons.values() if isinstance(name, str))}
    return [
        *of_manifest(manifest),
        *(found for field, name in icons.items() for found in _icon(field, name, content)),
        *(f"{name}: nothing in the manifest asks for this file" for name in sorted(spare)),
    ]


def of_manifest(manifest: dict[str, Any]) -> list[str]:
    """Return a sentence for each rule that a manifest breaks, each with the field's name first."""
    found = [f"{field}: {wrong}" for field, rule in _TEXTS.items() for wrong in _text(_get(manifest, field), rule)]
    known = {*_TEXTS, *_FLAGS}
    for field, value in _leaves(manifest):
        if field in _FLAGS and not isinstance(value, bool):
            found.append(f"{field}: has to be true or false, without quotes")
        elif field not in known and not field.startswith(("bots.0.scopes", "validDomains")):
            found.append(f"{field}: unknown here")
    if _get(manifest, "bots.0.scopes") != ["personal"]:
        found.append('bots.0.scopes: has to be ["personal"]: people are written to in personal chats only')
    domains = manifest.get("validDomains", [])
    if not isinstance(domains, list) or len(domains) > 16:
        return [*found, "validDomains: has to be a list of 16 at most"]
    wrong = [domain for domain in domains if not isinstance(domain, str) or not _DOMAIN.fullmatch(domain)]
    return [*found, *(f"validDomains: {domain!r} is no host name; leave out https:// and paths" for domain in wrong)]


def _text(value: Any, rule: Text) -> Iterator[str]:
    if value is None:
        if rule.required:
            yield "is required"
    elif not isinstance(value, str) or not value.strip():
        yield "has to be a text that is not empty"
    elif (length := len(value.encode("utf-16-le")) // 2) > rule.longest:
        yield f"has {length} characters, {rule.longest} are allowed"
    elif rule.pattern and not rule.pattern.fullmatch(value):
        yield rule.meaning
    elif rule.https and not _is_https(value):
        yield "has to be an https:// address"  # the schema lets http pass, Teams does not


def _is_https(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)


def _icon(field: str, name: Any, content: dict[str, bytes]) -> Iterator[str]:
    if not isinstance(name, str):
        return  # told already
    expected = _ICONS[field]
    if name not in content:
        yield f"{field}: there is no {name} in the package"
    elif (size := teams_icons.size(content[name])) is None:
        yield f"{field}: {name} is no PNG"
    elif size != (expected, expected):
        yield f"{field}: {name} is {size[0]}x{size[1]}, it has to be {expected}x{expected}"


def _get(value: Any, field: str) -> Any:
    for name in field.split("."):
        if isinstance(value, list):
            value = value[int(name)] if name.isdigit() and int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inside is None:
        yield path, value
    else:
        for name, below in inside:
            yield from _leaves(below, f"{path}.{name}" if path else str(name))
