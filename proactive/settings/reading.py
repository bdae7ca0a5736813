"""How one value is read from the environment, and what is said of it where it is malformed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

ID = re.compile(r"[A-Za-z0-9-]{1,64}")  # a GUID; some of them become part of an address
_HOST = re.compile(r"\.?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


class SettingsError(Exception):
    """A setting is missing or malformed; the message is one sentence that names it."""


@dataclass(frozen=True)
class Reader:
    """Reads settings by their names. Each raises `SettingsError` where a value is not what it has to be."""

    env: Mapping[str, str]

    def text(self, name: str) -> str:
        """Return the text without the blanks around it, empty where there is none."""
        return self.env.get(name, "").strip()

    def flag(self, name: str, *, default: bool) -> bool:
        """Return whether it is `true`, in any case of letters."""
        value = self.text(name).lower()
        if value in ("", "true", "false"):
            return default if not value else value == "true"
        raise SettingsError(f"{name} must be true or false.")

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        """Return a number from `least` to `most`."""
        text = self.text(name)
        try:
            value = float(text) if text else default
        except ValueError:
            raise SettingsError(f"{name} must be a number.") from None
        if not least <= value <= most:
            raise SettingsError(f"{name} must be between {least:g} and {most:g}.")
        return value

    def id(self, name: str) -> str:
        """Return an id, empty where there is none."""
        value = self.text(name)
        if value and not ID.fullmatch(value):
            raise SettingsError(f"{name} must be an id: letters, digits and hyphens, as no name or domain has them.")
        return value

    def hosts(self, name: str, default: tuple[str, ...], *, suffixes: bool) -> tuple[str, ...]:
        """Return host names in small letters; with `suffixes`, dot-led ones stand for all hosts that end so."""
        text = self.text(name)
        hosts = tuple(host.strip().lower() for host in text.split(",") if host.strip()) if text else default
        for host in hosts or ("",):
            if not _HOST.fullmatch(host) or (host.startswith(".") and not suffixes):
                shape = "hosts and dot-led suffixes" if suffixes else "exact host names"
                raise SettingsError(f"{name} must be a comma-separated list of {shape}, without scheme, port or path.")
        return hosts


def host_of(url: str) -> str:
    """Return the host of an address, or an empty string where it has none that every reader would agree on."""
    try:
        parts = urlsplit(url)
        usable = parts.port is None or parts.port > 0
    except ValueError:
        return ""
    return parts.hostname or "" if usable else ""
