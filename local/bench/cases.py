"""What is measured: each case is a coroutine that gives its figures as a JSON object."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from local.azurite import azurite
from local.bench.environments import PEERS, PLAIN, Peer, PeerError, environment, measure
from local.bench.seed import seed, stored
from local.bench.service import (
    TEXT,
    Service,
    arrived,
    check,
    check_copies,
    completed,
    count,
    quiet,
    send,
    service,
    tally,
)
from local.host.errors import StartError
from local.storage_proxy import StorageProxy
from local.teams.faults import Fault
from local.teams.people import Person, people
from local.teams.remote import RemoteTeams, spawn

type Figures = dict[str, Any]

IN_FLIGHT = 50
LATENCIES = (0, 100)  # milliseconds
CEILING, BURST = 50, 10
_WARM_UP = 20  # people: what a process does for the first time only is no cost of a message
_SINGLES = 5
_UNDER_WAY = 200  # messages after which a broadcast is well under way
_BETWEEN_SINGLES = 3.0  # seconds
_OFTEN = 0.02  # how often the stand-in throttles at random


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many people and messages a run has."""

    messages: int = 10_000
    crowd: int = 100_000
    growth: tuple[int, ...] = (1_000, 10_000, 100_000)
    ceiling: int = 15_000
    broadcast: int = 20_000
    throttled: int = 2_000
    repeats: int = 3


SHORT = Sizes(2_000, 21_000, (1_000, 2_000, 21_000), 3_000, 20_000, 500, 1)


class Bench:
    """A run: its sizes, and storage accounts that are seeded once for all cases that need as many people."""

    def __init__(self, sizes: Sizes, say: Callable[[str], None]) -> None:
        self.sizes = sizes
        self.say = say
        self.crowd = people(sizes.crowd)
        self._things = contextlib.AsyncExitStack()
        self._accounts: dict[int, str] = {}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]

    async def __aenter__(self) -> "Bench":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._things.aclose()

    async def storage(self, known: int) -> str:
        """Return an account where so many people have the bot."""
        if known not in self._accounts:
            self.say(f"making {known:,} people known")
            account = await self._things.enter_async_context(azurite(in_memory=True))
            # References name the connector, so every stand-in listens on the same port.
            await seed(account, f"http://127.0.0.1:{self._port}/teams/", self.crowd[:known])
            self._accounts[known] = account
        return self._accounts[known]

    @contextlib.asynccontextmanager
    async def teams(self, *, latency: int = 0, rate: int = 0) -> AsyncIterator[RemoteTeams]:
        """Run a stand-in with `latency` in milliseconds; `rate` 0 is no ceiling."""
        given = {"port": self._port, "people": len(self.crowd), "rate": rate, "burst": BURST, "latency-ms": latency}
        arguments = [text for name, value in given.items() for text in (f"--{name}", str(value))]
        async with spawn(*arguments, "--no-bodies") as teams:
            yield teams

    def some(self, count: int, known: int) -> list[Person]:
        """Return so many of the first `known` people, spread evenly."""
        return self.crowd[: known : known // count][:count]


async def peers(bench: Bench) -> Figures:
    """Each peer's bare loop, 50 in flight, without and with latency."""
    found: Figures = {peer.name: {} for peer in PEERS}
    for peer in PEERS:
        with contextlib.suppress(PeerError):  # said again when it is measured
            await environment(peer)
    for latency in LATENCIES:
        async with bench.teams(latency=latency) as teams:
            for peer in PEERS:
                found[peer.name][str(latency)] = await _peer(bench, peer, teams, latency)
    return found


async def _peer(bench: Bench, peer: Peer, teams: RemoteTeams, latency: int) -> Figures:
    bench.say(f"{peer.name}, {latency} ms")
    chosen = bench.crowd[: bench.sizes.messages // (10 if peer.slow else 1)]
    runs = []
    # The limit is what we are measured by: one lucky or unlucky run of it would shift the most.
    for _ in range(bench.sizes.repeats if peer is PLAIN and not latency else 1):
        await teams.clear()
        try:
            runs.append(await measure(peer, teams.service_url, chosen, TEXT, IN_FLIGHT))
        except PeerError as error:
            return {"error": str(error)}
        await check_copies(teams, len(chosen))
    return _median(runs)


async def end_to_end(bench: Bench) -> Figures:
    """Send to everybody whom this service knows, at both parallelisms, without and with latency."""
    size = bench.sizes.messages
    storage = await bench.storage(size)
    found: Figures = {}
    for latency in LATENCIES:
        async with bench.teams(latency=latency) as teams, service(storage) as ours:
            await _warm_up(bench, ours, teams)
            for parallelism in (50, 20):
                bench.say(f"this service, parallelism {parallelism}, {latency} ms")
                runs = []
                for _ in range(1 if latency else bench.sizes.repeats):
                    await teams.clear()
                    runs.append(asdict(await send(ours, teams, bench.crowd[:size], parallelism)))
                found[f"{latency}/{parallelism}"] = _median(runs)
    return found


async def crowd(bench: Bench) -> Figures:
    """Send to some of many known people."""
    size, known = bench.sizes.messages, bench.sizes.crowd
    storage = await bench.storage(known)
    async with bench.teams() as teams, service(storage) as ours:
        await _warm_up(bench, ours, teams)
        bench.say(f"{size:,} of {known:,} people")
        return asdict(await send(ours, teams, bench.some(size, known), IN_FLIGHT))


async def growth(bench: Bench) -> Figures:
    """Send to more and more people, all who are known, each time by a fresh process; then count the transactions."""
    found: Figures = {}
    async with bench.teams() as teams:
        for size in bench.sizes.growth:
            storage = await bench.storage(size)
            async with service(storage) as ours:
                await _warm_up(bench, ours, teams)
                bench.say(f"one send to {size:,} people")
                sent = await send(ours, teams, bench.crowd[:size], IN_FLIGHT)
            figures = asdict(sent)
            figures["stored_bytes"] = await stored(storage, figures.pop("id"))
            async with _counted(bench, storage, teams) as (ours, proxy):
                bench.say(f"transactions of one send to {size:,} people")
                figures["transactions"] = await count(ours, teams, proxy, bench.crowd[:size], IN_FLIGHT)
            found[str(size)] = figures
    return found


async def transactions(bench: Bench) -> Figures:
    """Storage transactions of sends, from accept to completed."""
    messages, known = bench.sizes.messages, bench.sizes.crowd
    found: Figures = {}
    async with bench.teams() as teams:
        for of in (messages, known):
            async with _counted(bench, await bench.storage(of), teams) as (ours, proxy):
                for parallelism in (50, 20):
                    await teams.clear()
                    bench.say(f"transactions, {messages:,} of {of:,}, parallelism {parallelism}")
                    taken = await count(ours, teams, proxy, bench.some(messages, of), parallelism)
                    found[f"{messages}/{of}/{parallelism}"] = {"messages": messages, "transactions": taken}
                if of == messages:
                    await teams.clear()
                    taken = await count(ours, teams, proxy, bench.crowd[:1], 20)
                    found["one"] = {"messages": 1, "transactions": taken}
                    proxy.clear()
                    await asyncio.sleep(5)
                    found["idle"] = {"seconds": 5, "polls": sum(proxy.idle.values()), "queues": len(proxy.idle)}
    return found


async def ceiling(bench: Bench) -> Figures:
    """Send with two instances to a stand-in that enforces Teams' ceiling: all of it is used, and never more."""
    size, known = bench.sizes.ceiling, bench.sizes.crowd
    bench.say(f"two instances at {CEILING} requests/s, {size:,} messages")
    async with (
        StorageProxy(await bench.storage(known)) as proxy,
        bench.teams(rate=CEILING) as teams,
        service(proxy.connection_string, ceiling=CEILING) as ours,
        service(proxy.connection_string, ceiling=CEILING),
    ):
        await quiet(proxy, time.time() + 60)
        chosen, until = bench.some(size, known), time.time() + 2 * size / CEILING + 60
        proxy.clear()
        number = await ours.post(chosen, IN_FLIGHT)
        await arrived(teams, size, until)
        await quiet(proxy, until)
        taken = tally(proxy)
        check(await completed(ours, number, until), chosen)
        await check_copies(teams, size)
        times = [entry.at for entry in await teams.received()]
        statuses = (await teams.stats()).statuses
    return {
        "messages": size,
        "seconds": times[-1] - times[0],
        "per_second": (size - 1) / (times[-1] - times[0]),
        "throttled": statuses.get(429, 0),
        "transactions": taken,
    }


async def urgent(bench: Bench) -> Figures:
    """Send a message to one person while a broadcast is going out at the ceiling."""
    broadcast, known = bench.sizes.broadcast, bench.sizes.crowd
    bench.say(f"single messages during a broadcast of {broadcast:,}")
    storage = await bench.storage(known)
    waits = []
    async with (
        bench.teams(rate=CEILING) as teams,
        service(storage, ceiling=CEILING) as ours,
        service(storage, ceiling=CEILING),
    ):
        number = await ours.post(bench.crowd[:broadcast], IN_FLIGHT)
        await arrived(teams, _UNDER_WAY, time.time() + 120)
        for person in bench.crowd[-_SINGLES:]:
            start = time.perf_counter()
            await ours.post([person], 1)
            await teams.wait_delivered(person.object_id, timeout=120)
            waits.append(time.perf_counter() - start)
            await asyncio.sleep(_BETWEEN_SINGLES)
        during = (await teams.stats()).accepted
        await ours.cancel(number)
    return {"broadcast": broadcast, "seconds": waits, "worst": max(waits), "accepted_meanwhile": during}


async def throttled(bench: Bench) -> Figures:
    """Send while the stand-in throttles at random: everybody gets the message, once."""
    size, known = bench.sizes.throttled, bench.sizes.messages
    bench.say(f"{size:,} messages with throttling at random")
    storage = await bench.storage(known)
    async with bench.teams() as teams, service(storage) as ours:
        await _warm_up(bench, ours, teams)
        fault = await teams.fault(Fault(status=429, retry_after=1, probability=_OFTEN, seed=1))
        sent = await send(ours, teams, bench.some(size, known), IN_FLIGHT)
        return {**asdict(sent), "throttled": await teams.hits(fault)}


CASES: Mapping[str, Callable[[Bench], Awaitable[Figures]]] = {
    "peers": peers,
    "service": end_to_end,
    "crowd": crowd,
    "growth": growth,
    "transactions": transactions,
    "throttled": throttled,
    "ceiling": ceiling,
    "urgent": urgent,
}
ERRORS = (OSError, RuntimeError, StartError, TimeoutError)
"""What ends a case without ending the run."""


async def _warm_up(bench: Bench, ours: Service, teams: RemoteTeams) -> None:
    await teams.clear()
    await send(ours, teams, bench.crowd[:_WARM_UP], IN_FLIGHT)
    await ours.rest()
    await teams.clear()


@contextlib.asynccontextmanager
async def _counted(bench: Bench, storage: str, teams: RemoteTeams) -> AsyncIterator[tuple[Service, StorageProxy]]:
    async with StorageProxy(storage) as proxy, service(proxy.connection_string) as ours:
        await _warm_up(bench, ours, teams)
        await quiet(proxy, time.time() + 60)
        yield ours, proxy


def _median(runs: Sequence[Figures]) -> Figures:
    """Return the run whose time is the median, with the times of all."""
    middle = sorted(runs, key=lambda run: float(run["seconds"]))[len(runs) // 2]
    return {**middle, "runs": [round(float(run["seconds"]), 3) for run in runs]}
