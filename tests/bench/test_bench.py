"""The benchmark on small numbers: it measures what it says, and its arithmetic and pages are right."""

import asyncio
import json
import os
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from typing import Any

import pytest
from rich.console import Console

from local.bench import cost, page
from local.bench.cases import CASES, Bench, Sizes
from local.bench.command import bench, measure
from local.bench.environments import PEERS, PLAIN, Peer, PeerError, version_of
from local.bench.environments import measure as measure_peer
from local.bench.plot import Bar, bars
from local.bench.processes import used
from local.bench.service import BenchError, check, check_copies, send, service
from local.bench.service import count as count_transactions
from local.bench.targets import targets
from local.storage_proxy import StorageProxy

SMALL = Sizes(messages=200, crowd=300, growth=(100, 200), ceiling=100, broadcast=100, throttled=50, repeats=1)


@pytest.fixture
async def running() -> AsyncIterator[Bench]:
    async with Bench(SMALL, lambda _: None) as small:
        yield small


async def test_plain_aiohttp_sends_one_message_to_each_and_says_what_it_took(running: Bench) -> None:
    async with running.teams() as teams:
        figures = await measure_peer(PLAIN, teams.service_url, running.crowd[:200], "hello", 50)
        await check_copies(teams, 200)

    assert figures["messages"] == 180  # the first twenty come before the clock starts
    assert 0 < figures["seconds"] < 30
    assert 0 < figures["cpu_seconds"] < 30
    assert figures["peak_rss_mb"] > 10


async def test_a_peer_that_fails_says_why(running: Bench) -> None:
    with pytest.raises(PeerError, match="no_such_peer"):
        await measure_peer(Peer("no_such_peer", "none", "aiohttp"), "http://127.0.0.1:1/", [], "hello", 1)


@pytest.mark.timeout(100)
async def test_the_service_is_measured_end_to_end_and_its_transactions_are_counted(running: Bench) -> None:
    account = await running.storage(300)
    async with running.teams() as teams, StorageProxy(account) as proxy, service(proxy.connection_string) as ours:
        sent = await send(ours, teams, running.some(200, 300), 50)
        await teams.clear()
        taken = await count_transactions(ours, teams, proxy, running.some(200, 300), 50)

    assert sent.messages == 200
    assert 0 < sent.seconds < 30
    assert 0 < sent.cpu_seconds < 30
    assert sent.peak_rss_mb > 30
    assert taken["queue POST lanes/messages"] >= 1
    assert taken["table POST $batch"] >= 1
    assert 4 < sum(taken.values()) < 200


async def test_who_was_left_out_or_got_two_spoils_the_run(running: Bench) -> None:
    people = running.crowd[:2]
    with pytest.raises(BenchError, match="2 people were to get it"):
        check({"counts": {"delivered": 1, "total": 2}}, people)
    async with running.teams() as teams:
        with pytest.raises(BenchError, match="copies"):
            await check_copies(teams, 2)


def test_what_a_process_has_used_grows_as_it_works() -> None:
    before = used(os.getpid())
    sum(number * number for number in range(2_000_000))
    after = used(os.getpid())

    assert after.cpu_seconds > before.cpu_seconds
    assert after.peak_mb >= before.peak_mb > 10


async def test_a_case_that_fails_has_an_error_in_the_place_of_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: Bench) -> dict[str, Any]:
        await asyncio.sleep(0)
        raise BenchError("nobody got it")

    monkeypatch.setattr("local.bench.command.CASES", {"service": fail})
    results = await measure(SMALL, ["service"], Console(quiet=True))

    assert results["service"] == {"error": "nobody got it"}


def test_an_unknown_case_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(short=True, only=["speed"]) == 2
    assert "no such case: speed" in capsys.readouterr().err


def figures(messages: int, seconds: float, cpu: float = 1.0, memory: float = 90.0, **more: Any) -> dict[str, Any]:
    return {"messages": messages, "seconds": seconds, "cpu_seconds": cpu, "peak_rss_mb": memory, **more}


def results(**changes: Any) -> dict[str, Any]:
    """Return results of a run that meets every demand."""
    rates = dict(zip((peer.name for peer in PEERS), (6000, 100, 600, 800, 900, 1200, 500), strict=True))
    calls = {"table PATCH sends(…)": 800, "queue POST lanes/messages": 100}
    few = {"table GET sends(…)": 10, "queue POST lanes/messages": 2}
    case = {"messages": 10_000, "transactions": calls}
    found: dict[str, Any] = {
        "peers": {name: {"0": figures(rate, 1), "100": figures(400, 1)} for name, rate in rates.items()},
        "service": {"0/50": figures(10_000, 4), "0/20": figures(10_000, 5), "100/50": figures(460, 1)},
        "crowd": figures(10_000, 4),
        "growth": {
            "1000": figures(1000, 1, 0.4, 90, stored_bytes=90_000, transactions={"table GET x": 100}),
            "100000": figures(100_000, 40, 42, 130, stored_bytes=9_000_000, transactions={"table GET x": 9000}),
        },
        "transactions": {
            **{f"10000/{known}/{p}": case for known in (10_000, 100_000) for p in (50, 20)},
            "one": {"messages": 1, "transactions": few},
            "idle": {"seconds": 5, "polls": 130, "queues": 13},
        },
        "ceiling": {**case, "messages": 15_000, "seconds": 300.0, "per_second": 49.9, "throttled": 0},
        "urgent": {"broadcast": 20_000, "seconds": [0.5, 1.0], "worst": 1.0, "accepted_meanwhile": 900},
        "throttled": {**figures(2000, 30), "throttled": 40},
        "sizes": asdict(Sizes(growth=(1000, 100_000))),
        "versions": {peer.name: version_of(peer) for peer in PEERS},
        "python": "3.13.0",
        "machine": "2 cores, 23 GB of memory",
        "date": "2026-11-22",
        "minutes": 20.0,
        "short": False,
    }
    return {**found, **changes}


def verdicts(found: Mapping[str, Any]) -> dict[str, str]:
    return {one.what: one.verdict for one in targets(found)}


def test_every_demand_of_a_good_run_is_met() -> None:
    assert set(verdicts(results()).values()) == {"met"}


def test_a_missed_demand_is_shown_as_missed() -> None:
    slow = results(service={"0/50": figures(1000, 1), "100/50": figures(440, 1)})
    found = verdicts(slow)

    assert found["against botbuilder's `continue_conversation`"] == "not met"
    assert found["of the plain aiohttp limit"] == "not met"
    assert found["of what 100 ms latency allows at parallelism 50 (500/s)"] == "not met"
    assert found["against the fastest SDK, sent with as its documentation does"] == "met"
    assert "| not met |" in page.ratios(targets(slow))


@pytest.mark.parametrize("throttled", [0, 1])
def test_a_single_429_at_the_ceiling_is_too_many(throttled: int) -> None:
    found = results(ceiling={**results()["ceiling"], "throttled": throttled})

    assert verdicts(found)["429s meanwhile"] == ("not met" if throttled else "met")


def test_what_failed_is_shown_as_not_measured() -> None:
    broken = results(ceiling={"error": "it was not done in time"})
    broken["peers"]["teams_sdk"]["0"] = {"error": "installing it failed"}
    shown = page.generated(broken, targets(broken))

    assert verdicts(broken)["429s meanwhile"] == "not measured"
    assert "not measured: it was not done in time" in shown
    assert "Not measured: teams.py `App.send`: installing it failed." in shown
    assert "not measured" in page.pictures(broken)["performance.svg"]


def test_the_page_has_all_figures_and_wellformed_pictures() -> None:
    found = results()
    shown = page.generated(found, targets(found))

    assert "| **this service**, end to end, parallelism 50 |  | 2,500 | 0.10 | 90 | 460 |" in shown
    assert "| `table PATCH sends(…)` | 800 |" in shown
    assert "15,000 messages in 300.0 s by two instances: 49.90 requests/s, 0 answers of 429." in shown
    for picture in page.pictures(found).values():
        assert ET.fromstring(picture).tag.endswith("svg")


def test_a_bar_is_as_long_as_its_value() -> None:
    drawn = ET.fromstring(bars("<t>", ("a & b",), [Bar("one", [100.0]), Bar("half", [50.0]), Bar("none", [None])]))
    _, _, *rects = drawn.iter("{http://www.w3.org/2000/svg}rect")  # the background and the key come first
    lengths = [float(rect.get("width", "0")) for rect in rects]

    assert lengths[0] == pytest.approx(2 * lengths[1], abs=0.2)
    assert lengths[2] == 1


def test_only_what_is_between_the_markers_is_replaced() -> None:
    before = f"# Title\n\nwritten by hand\n\n{page.BEGIN}\nold\n{page.END}\n\nmore by hand\n"
    once = page.replaced(before, "new")

    assert once == f"# Title\n\nwritten by hand\n\n{page.BEGIN}\n\nnew\n\n{page.END}\n\nmore by hand\n"
    assert page.replaced(once, "new") == once
    for broken in ("no markers", f"{page.END} {page.BEGIN}", before + page.BEGIN):
        with pytest.raises(ValueError, match="markers"):
            page.replaced(broken, "new")


def test_costs_are_sums_of_measured_amounts_and_prices() -> None:
    prices = json.loads(cost.PRICES.read_text(encoding="utf-8"))
    found = cost.measured(results())
    one = cost.cost(100_000, 50, found, prices)

    assert found.table == pytest.approx(800 / 15_000)
    assert found.queue == pytest.approx(100 / 15_000)
    assert found.kept == 90
    assert one.seconds == 2000
    assert one.compute == pytest.approx(2000 * 2 * prices["gb_second"]["price"])
    assert one.tables == pytest.approx(100_000 * 800 / 15_000 / 10_000 * prices["table_transactions_10k"]["price"])
    assert one.executions == pytest.approx((2 + 2 * 9) / 1e6 * prices["million_executions"]["price"])
    assert one.total == pytest.approx(sum((one.compute, one.executions, one.tables, one.queues, one.kept, one.logs)))
    assert cost.idle_polls(13, 0.5) == 13 * 2 * cost.MONTH


def test_a_message_costs_about_the_same_in_sends_of_any_size() -> None:
    prices = json.loads(cost.PRICES.read_text(encoding="utf-8"))
    few, many = (cost.cost(size, 50, cost.measured(results()), prices) for size in (1000, 1_000_000))

    assert many.total / many.messages == pytest.approx(few.total / few.messages, rel=0.15)


def test_the_cost_page_shows_prices_with_their_sources() -> None:
    prices = json.loads(cost.PRICES.read_text(encoding="utf-8"))
    shown = cost.generated(cost.measured(results()), prices)

    assert "1,000,000" in shown
    assert "13 queues" in shown
    for price in prices.values():
        if isinstance(price, dict) and "price" in price:
            assert price["source"] in shown
            assert price["source"].startswith("https://azure.microsoft.com/pricing/")


@pytest.mark.parametrize("path", ["docs/performance.md", "docs/cost.md"])
def test_the_pages_have_a_place_for_what_is_generated(path: str) -> None:
    text = (cost.ROOT / path).read_text(encoding="utf-8")

    assert page.replaced(text, "x")


def test_every_case_is_named_on_the_page() -> None:
    text = (cost.ROOT / "docs" / "performance.md").read_text(encoding="utf-8")

    assert [name for name in CASES if f"`{name}`" not in text] == []
