"""App settings: the environment beats `local.settings.json`, which beats `local.settings.example.json`."""

import json
import os
from pathlib import Path

from local.host.errors import StartError

STORAGE = "AzureWebJobsStorage"
EMULATOR = "UseDevelopmentStorage=true"


def own_storage(app_directory: Path) -> str | None:
    """Give the connection string that the environment or `local.settings.json` names; None: start an emulator."""
    named = os.environ.get(STORAGE) or _values(app_directory / "local.settings.json").get(STORAGE)
    return None if named in (None, "", EMULATOR) else named


def apply(app_directory: Path) -> None:
    """Make environment variables of the settings that are not set yet.

    Raises:
        StartError: a settings file cannot be read.

    """
    for name in ("local.settings.json", "local.settings.example.json"):
        for setting, value in _values(app_directory / name).items():
            os.environ.setdefault(setting, value)


def _values(path: Path) -> dict[str, str]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StartError(f"{path} is not JSON: {error}") from None
    if document.get("IsEncrypted"):
        raise StartError(f"{path} is encrypted: decrypt it with func settings decrypt")
    return {name: str(value) for name, value in document.get("Values", {}).items()}
