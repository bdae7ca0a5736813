"""What sending costs: measured transactions, duration and memory times the prices in prices.json, in docs/cost.md."""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.bench.page import replaced, table
from local.host import host_json

ROOT = Path(__file__).parents[2]
PRICES = Path(__file__).with_name("prices.json")
MEASURED = Path(__file__).with_name("measured.json")
PAGE = ROOT / "docs" / "cost.md"
MONTH = 30 * 86_400  # seconds
_TURN = 240.0  # seconds after which a lane goes on in an execution of its own (proactive/deliver.py)
_SIZES = (1_000, 100_000, 1_000_000)
_ALLOWED = 10  # messages a second that 100 ms of latency allow for each one in flight


@dataclass(frozen=True, slots=True)
class Measured:
    """What the benchmark found, for one message unless said otherwise.

    `table` and `queue` are transactions, `kept` bytes in tables, `cpu` seconds of processor time, `memory_mb` the
    process's peak, `queues` how many queues an instance polls.
    """

    table: float
    queue: float
    kept: float
    cpu: float
    memory_mb: float
    queues: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What so many messages cost, in the currency of the prices, by what is paid for."""

    messages: int
    seconds: float
    compute: float
    executions: float
    tables: float
    queues: float
    kept: float
    logs: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.compute + self.executions + self.tables + self.queues + self.kept + self.logs


def measured(results: Mapping[str, Any]) -> Measured:
    """Return what the model needs of a run: the largest send for sizes, the one at the ceiling for transactions.

    Raises:
        KeyError: that was not measured.

    """
    largest = results["growth"][str(results["sizes"]["growth"][-1])]
    ceiling = results["ceiling"]
    taken: Mapping[str, int] = ceiling["transactions"]

    def share(service: str) -> float:
        calls = sum(count for call, count in taken.items() if call.startswith(f"{service} "))
        return calls / int(ceiling["messages"])

    return Measured(
        table=share("table"),
        queue=share("queue"),
        kept=largest["stored_bytes"] / largest["messages"],
        cpu=largest["cpu_seconds"] / largest["messages"],
        memory_mb=largest["peak_rss_mb"],
        queues=results["transactions"]["idle"]["queues"],
    )


def cost(messages: int, rate: float, found: Measured, prices: Mapping[str, Any]) -> Cost:
    """Return what `messages` cost at `rate` messages a second."""
    assumed = prices["assumed"]

    def price(name: str) -> float:
        return float(prices[name]["price"])

    seconds = messages / rate
    # Billed is the memory of an instance while it executes anything, a second at least.
    gb_seconds = max(1.0, seconds) * assumed["instance_gb"]
    # The request, the plan, and each turn of the lane with its watchdog.
    executions = 2 + 2 * math.ceil(seconds / _TURN)
    return Cost(
        messages,
        seconds,
        compute=gb_seconds * price("gb_second"),
        executions=executions / 1e6 * price("million_executions"),
        tables=messages * found.table / 1e4 * price("table_transactions_10k"),
        queues=messages * found.queue / 1e4 * price("queue_operations_10k"),
        kept=messages * found.kept / 1e9 * assumed["months_kept"] * price("storage_gb_month"),
        logs=executions * assumed["log_bytes_an_execution"] / 1e9 * price("log_gb"),
    )


def idle_polls(queues: int, longest_pause: float) -> float:
    """Return the receives of a month by one instance that never sleeps: each queue at the longest pause, in seconds."""
    return queues * MONTH / longest_pause


def generated(found: Measured, prices: Mapping[str, Any]) -> str:
    """Return the generated part of the page."""
    pause = host_json.read(ROOT).queues.max_polling_interval
    polls = idle_polls(found.queues, pause)
    month = polls / 1e4 * float(prices["queue_operations_10k"]["price"])
    plans = (
        ("at the ceiling of 50/s", 50.0),
        ("at 500/s (ceiling raised, 100 ms, parallelism 50)", 50.0 * _ALLOWED),
    )
    rows = [
        (title, f"{one.messages:,}", _time(one.seconds), *map(_money, _parts(one)), f"**{_money(one.total)}**")
        for title, rate in plans
        for one in (cost(messages, rate, found, prices) for messages in _SIZES)
    ]
    head = ("send", "messages", "takes", "compute", "executions", "tables", "queues", "kept", "logs", "all")
    inputs = [
        ("table transactions a message, at the ceiling", f"{found.table:.4f}"),
        ("queue operations a message, at the ceiling", f"{found.queue:.4f}"),
        ("bytes kept in tables a message", f"{found.kept:.0f}"),
        ("processor time a message", f"{found.cpu * 1000:.2f} ms"),
        ("peak memory of the process", f"{found.memory_mb:.0f} MB"),
        ("queues that an instance polls", f"{found.queues}"),
    ]
    listed = [
        (price["what"], f"{price['price']:f}".rstrip("0"), price["source"])
        for price in prices.values()
        if isinstance(price, dict) and "price" in price
    ]
    assumed = prices["assumed"]
    return "\n\n".join(
        [
            "## What a send costs",
            f"US dollars; list prices of {prices['region']}, looked up in {prices['looked_up']}; free grants left out.",
            table(head, rows, text=1),
            f"At 50 messages a second the process works for {50 * found.cpu:.0%} of the time and waits for the rest.",
            "## A month in which nothing is sent",
            f"An instance that is awake asks each of {found.queues} queues every {pause:g} s "
            f"(`maxPollingInterval` in `host.json`): {polls / MONTH * 3600:,.0f} operations an hour, which is "
            f"{_money(month / MONTH * 3600)}. One that never sleeps comes to {polls / 1e6:,.0f} million in 30 days: "
            f"**{_money(month)}**. Flex Consumption puts instances to sleep, and a sleeping one asks nothing; "
            "how often the platform itself looks whether to wake one is not published.",
            "## Measured inputs",
            table(("what", "measured"), inputs),
            "## Prices",
            table(("what", "US dollars", "source"), listed, text=3),
            f"Assumed besides: instances of {assumed['instance_gb']} GB, {assumed['log_bytes_an_execution']:,} bytes "
            f"of log an execution, results kept for {assumed['months_kept']} months.",
        ]
    )


def write(found: Measured) -> None:
    """Write the page."""
    prices = json.loads(PRICES.read_text(encoding="utf-8"))
    PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), generated(found, prices)), encoding="utf-8")


def _parts(one: Cost) -> tuple[float, ...]:
    return one.compute, one.executions, one.tables, one.queues, one.kept, one.logs


def _money(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 0.1 else f"{amount:.4f}" if amount >= 1e-4 else "<0.0001"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def main() -> int:
    """Write the page from the figures of the last run."""
    if not MEASURED.exists():
        print("there are no figures yet: say make bench", file=sys.stderr)
        return 1
    write(Measured(**json.loads(MEASURED.read_text(encoding="utf-8"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
