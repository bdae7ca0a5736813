"""`make bench`: every case in one run, the ratios at its end, and the pages."""

import asyncio
import json
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from local.bench import cost, page
from local.bench.cases import CASES, ERRORS, SHORT, Bench, Sizes
from local.bench.environments import PEERS, ROOT, version_of
from local.bench.processes import machine
from local.bench.targets import Results, Target, targets

RESULTS = ROOT / ".local" / "bench" / "results.json"
PAGE = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "pictures"


def bench(*, short: bool, only: Sequence[str]) -> int:
    """Run cases and report them; 2 when a case is asked for that there is not, 0 otherwise."""
    if unknown := set(only) - CASES.keys():
        print(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}", file=sys.stderr)
        return 2
    console = Console()
    results = asyncio.run(measure(SHORT if short else Sizes(), only or list(CASES), console)) | {"short": short}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2), encoding="utf-8")
    demands = targets(results)
    console.print(_ratios(demands))
    if only:
        console.print(f"The figures are in {RESULTS}; the pages stay as they are, as not every case was run.")
    else:
        write(results, demands)
        console.print(f"The figures are in {RESULTS}, {PAGE.name} and {cost.PAGE.name}.")
    return 0


async def measure(sizes: Sizes, cases: Sequence[str], console: Console) -> dict[str, Any]:
    """Run cases; one that fails has an error in the place of its figures."""
    start = time.monotonic()

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - start:6.0f} s  {text}", highlight=False)

    found: dict[str, Any] = {}
    async with Bench(sizes, say) as running:
        for name, case in CASES.items():
            found[name] = {}
            if name not in cases:
                continue
            try:
                found[name] = await case(running)
            except ERRORS as error:
                say(f"{name} failed: {error}")
                found[name] = {"error": str(error) or type(error).__name__}
    return {
        **found,
        "sizes": asdict(sizes),
        "versions": {peer.name: version_of(peer) for peer in PEERS},
        "python": platform.python_version(),
        "machine": machine(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "minutes": (time.monotonic() - start) / 60,
    }


def write(results: Results, demands: Sequence[Target]) -> None:
    """Write the pages, their pictures, and the figures that the cost model starts from."""
    PAGE.write_text(page.replaced(PAGE.read_text(encoding="utf-8"), page.generated(results, demands)), encoding="utf-8")
    for name, picture in page.pictures(results).items():
        (PICTURES / name).write_text(picture, encoding="utf-8")
    _write_cost(results)


def _write_cost(results: Mapping[str, Any]) -> None:
    try:
        found = cost.measured(results)
    except KeyError:
        print("docs/cost.md stays as it is: what it needs was not measured", file=sys.stderr)
        return
    cost.MEASURED.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
    cost.write(found)


def _ratios(demands: Sequence[Target]) -> Table:
    shown = Table(title="Demands", title_justify="left")
    for column in ("demand", "measured", "wanted", "verdict"):
        shown.add_column(column)
    for one in demands:
        shown.add_row(one.what, one.value, one.wanted, one.verdict)
    return shown
