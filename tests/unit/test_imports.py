"""What importing the app costs: a cold instance answers sooner when nothing heavy is imported before it is used."""

import json

import pytest

from tests.unit.fresh import run

HEAVY = (
    "aiohttp",
    "azure.core",
    "azure.data",
    "azure.identity",
    "azure.storage",
    "botbuilder",
    "cryptography",
    "jwt",
    "msal",
    "pydantic",
    "requests",
)
BUDGET = 0.35  # seconds of CPU; azure.functions alone takes about a tenth
TRIES = 5  # the least of them counts: a busy machine makes any one slow, and none fast


def imported(module: str) -> tuple[float, list[str]]:
    """Import a module in a fresh interpreter; return the seconds of CPU it took and the modules that are there then."""
    script = (
        "import time\nbegan = time.process_time()\n"
        f"import {module}\ntook = time.process_time() - began\n"
        "import json, sys\nprint(json.dumps([took, sorted(sys.modules)]))"
    )
    took, modules = json.loads(run(script, PROACTIVE_LOCAL="true", AzureWebJobsStorage="UseDevelopmentStorage=true"))
    return took, modules


def heavy_among(modules: list[str]) -> list[str]:
    return [heavy for heavy in HEAVY if any(name == heavy or name.startswith(heavy + ".") for name in modules)]


def test_the_app_imports_nothing_heavy_and_keeps_within_its_budget() -> None:
    # GIVEN fresh interpreters, WHEN each imports the app
    runs = [imported("function_app") for _ in range(TRIES)]
    # THEN nothing is there that a first message would not need yet
    assert heavy_among(runs[0][1]) == []
    # AND the fastest run shows what the import costs
    assert min(took for took, _ in runs) <= BUDGET


@pytest.mark.parametrize("module", ["proactive.service", "proactive.deliver", "proactive.report", "proactive.errands"])
def test_a_room_imports_nothing_heavy_either(module: str) -> None:
    assert heavy_among(imported(module)[1]) == []


def test_what_is_heavy_would_be_noticed() -> None:
    assert heavy_among(["json", "azure.storage.queue.aio", "msal"]) == ["azure.storage", "msal"]
    assert heavy_among(["azure", "azure.functions", "jwtools"]) == []
