"""What the benchmark has to show, as ratios of one run: each with its target, and whether it is met."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.bench.cases import IN_FLIGHT
from local.bench.environments import CONTINUE, PEERS, PLAIN, Peer

type Results = Mapping[str, Any]

ALLOWED = IN_FLIGHT / 0.1
"""Messages a second that a latency of 100 ms allows with so many in flight."""


@dataclass(frozen=True, slots=True)
class Target:
    """One demand; `met` is None where nothing was measured."""

    what: str
    value: str
    wanted: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        return "not measured" if self.met is None else "met" if self.met else "not met"


def rate(figures: Mapping[str, Any]) -> float:
    """Return messages a second."""
    return float(figures["messages"]) / float(figures["seconds"])


def cpu_ms(figures: Mapping[str, Any]) -> float:
    """Return milliseconds of processor time a message."""
    return 1000 * float(figures["cpu_seconds"]) / float(figures["messages"])


def each(figures: Mapping[str, Any]) -> float:
    """Return storage transactions a message."""
    return float(sum(figures["transactions"].values())) / float(figures["messages"])


def targets(results: Results) -> list[Target]:
    """Return every demand, in the order of the issue that made them."""
    sizes = results["sizes"]
    messages, crowd = sizes["messages"], sizes["crowd"]
    small, large = str(sizes["growth"][0]), str(sizes["growth"][-1])
    growth = _few(int(small), int(large))

    def ours() -> float:
        return rate(results["service"]["0/50"])

    def peer(name: str) -> float:
        return rate(results["peers"][name]["0"])

    def fastest(*, inner: bool) -> tuple[float, Peer]:
        found = [
            (peer(one.name), one) for one in PEERS if one is not PLAIN and one.inner == inner and _has(results, one)
        ]
        return max(found, key=lambda pair: pair[0])

    def ahead(*, inner: bool) -> Callable[[], tuple[float, str]]:
        def compare() -> tuple[float, str]:
            best, who = fastest(inner=inner)
            return ours() / best, f"{ours() / best:.2f} × {who.title}"

        return compare

    def transactions(key: str) -> Callable[[], tuple[float, str]]:
        return lambda: _plain(each(results["transactions"][key]), "{:.3f}")

    def grown(measure: Callable[[Mapping[str, Any]], float]) -> Callable[[], tuple[float, str]]:
        return lambda: _plain(measure(results["growth"][large]) / measure(results["growth"][small]), "{:.2f}")

    def memory() -> tuple[float, str]:
        return _plain(results["growth"][large]["peak_rss_mb"] - results["growth"][small]["peak_rss_mb"], "{:+.0f} MB")

    return [
        _target("against the fastest SDK, sent with as its documentation does", ahead(inner=False), least=1),
        _target("against the fastest HTTP client within an SDK", ahead(inner=True), least=1),
        _target(
            "against botbuilder's `continue_conversation`",
            lambda: _plain(ours() / peer(CONTINUE.name), "{:.1f} ×"),
            least=15,
        ),
        _target("of the plain aiohttp limit", lambda: _plain(ours() / peer(PLAIN.name), "{:.2f}"), least=0.4),
        _target(
            f"of what 100 ms latency allows at parallelism {IN_FLIGHT} ({ALLOWED:.0f}/s)",
            lambda: _plain(rate(results["service"]["100/50"]) / ALLOWED, "{:.2f}"),
            least=0.9,
        ),
        *(
            _target(
                f"transactions a message, {messages:,} of {known:,}, parallelism {parallelism}",
                transactions(f"{messages}/{known}/{parallelism}"),
                most=most,
            )
            for known in (messages, crowd)
            for parallelism, most in ((50, 0.1), (20, 0.15))
        ),
        _target("transactions a message at the ceiling", lambda: _plain(each(results["ceiling"]), "{:.3f}"), most=0.15),
        _target(
            "transactions of a send to one person",
            lambda: _plain(each(results["transactions"]["one"]), "{:.0f}"),
            most=12,
        ),
        _target(f"processor time a message, {growth}", grown(cpu_ms), most=1.15),
        _target(f"transactions a message, {growth}", grown(each), most=1.15),
        _target(f"more memory for {int(large):,} people than for {int(small):,}", memory, below=50, unit=" MB"),
        _target(
            "requests a second at a ceiling of 50, two instances",
            lambda: _plain(results["ceiling"]["per_second"], "{:.2f}"),
            least=49,
        ),
        _target("429s meanwhile", lambda: _plain(results["ceiling"]["throttled"], "{:.0f}"), most=0),
        _target(
            "with throttling at random: share of people who got it, once",
            # A run in which anybody is left out, or gets a second copy, has an error instead of figures.
            lambda: _plain(results["throttled"]["messages"] / sizes["throttled"], "{:.3f}"),
            least=1,
        ),
        _target(
            "seconds to one person during a broadcast at the ceiling, the worst of five",
            lambda: _plain(results["urgent"]["worst"], "{:.1f}"),
            most=3,
        ),
    ]


def _few(small: int, large: int) -> str:
    return f"{large:,} people against {small:,}"


def _has(results: Results, peer: Peer) -> bool:
    return "seconds" in results["peers"].get(peer.name, {}).get("0", {})


def _plain(value: float, form: str) -> tuple[float, str]:
    return value, form.format(value)


def _target(
    what: str,
    measure: Callable[[], tuple[float, str]],
    *,
    least: float | None = None,
    most: float | None = None,
    below: float | None = None,
    unit: str = "",
) -> Target:
    if least is not None:
        wanted = f"at least {least:g}{unit}"
    elif most is not None:
        wanted = f"at most {most:g}{unit}"
    else:
        wanted = f"less than {below:g}{unit}"
    try:
        value, text = measure()
    except (KeyError, ValueError, ZeroDivisionError):
        return Target(what, "", wanted, None)
    met = (least is None or value >= least) and (most is None or value <= most) and (below is None or value < below)
    return Target(what, text, wanted, met)
