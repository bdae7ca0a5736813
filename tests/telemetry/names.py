"""The names that telemetry has, as docs/telemetry.md lists them."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "telemetry.md"


def documented_metrics() -> dict[str, set[str]]:
    """Return the dimensions of each metric."""
    rows = re.findall(
        r"^\| `(proactive\.[a-z_.]+)` \| \w+ \| ([^|]*)\|", DOCS.read_text(encoding="utf-8"), re.MULTILINE
    )
    return {name: set(re.findall(r"`(\w+)`", dimensions)) for name, dimensions in rows}


def documented_spans() -> set[str]:
    """Return the names of the spans."""
    table = DOCS.read_text(encoding="utf-8").partition("| span (`dependencies`)")[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
