"""What one seed decides: the send, the people, the weather, and where processes are cut."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from local.teams import Fault

POPULATION = 130
NEVER_MET = range(120, POPULATION)  # numbers of those who have never had the bot
CARD: dict[str, Any] = {
    "type": "AdaptiveCard",
    "version": "1.4",
    "body": [{"type": "TextBlock", "text": "Shall we?"}],
    "actions": [{"type": "Action.Submit", "title": "Yes"}],
}


@dataclass(frozen=True, slots=True)
class Cut:
    """The `nth` time that anybody comes to this point since the last cut is the end of who does."""

    point: str
    nth: int


@dataclass
class Scenario:
    """A run, as its seed has it. People are numbers."""

    seed: int
    reachable: list[int]
    never_met: list[int]
    blocked: list[int]
    chatting: list[int]
    moved: list[int]  # whose conversation is lost
    everyone: bool
    parallelism: int
    if_chat_is_active: str
    if_outcome_unknown: str
    waits: bool
    calls_back: bool
    cancelled_at: int | None  # after so many accepted messages
    instances: int
    weather: list[Fault]
    patches: dict[str, float]
    cuts: list[Cut] = field(default_factory=list)

    @property
    def people(self) -> list[int]:
        """Everybody who is named, or meant by `everyone`."""
        return [*self.reachable, *self.never_met, *self.blocked, *self.chatting, *self.moved]

    def __str__(self) -> str:
        whom = f"{len(self.reachable)}+{len(self.never_met)}+{len(self.blocked)}+{len(self.chatting)}+{len(self.moved)}"
        facts = [
            f"{'everyone ' if self.everyone else ''}{whom} people, {self.parallelism} at once",
            f"{self.if_outcome_unknown}, {self.if_chat_is_active}",
            *(["waits"] if self.waits else []),
            *(["calls back"] if self.calls_back else []),
            *([f"cancelled after {self.cancelled_at}"] if self.cancelled_at is not None else []),
            f"{self.instances} instances",
            f"{len(self.weather)} faults",
            *(f"{name.rpartition('.')[2]}={value}" for name, value in self.patches.items()),
            *(f"cut {cut.point} #{cut.nth}" for cut in self.cuts),
        ]
        return f"seed {self.seed}: " + " · ".join(facts)


def scenario(seed: int) -> Scenario:
    """Return the run of a seed, uncut."""
    chance = random.Random(seed)
    met = list(range(NEVER_MET.start))
    chance.shuffle(met)
    size = chance.choice([1, 2, chance.randint(3, 30), chance.randint(3, 30), chance.randint(30, 110)])
    everyone = chance.random() < 0.06
    some = chance.random() < 0.6 and size > 3
    blocked, chatting, moved = ([met.pop() for _ in range(chance.randint(0, 2))] if some else [] for _ in range(3))
    patches: dict[str, float] = {}
    if chance.random() < 0.4:
        patches["proactive.accept._FEW"] = 0
    if chance.random() < 0.5:
        patches["proactive.plan.SIZE"] = chance.choice([3, 10, 40])
    if chance.random() < 0.3:
        patches["proactive.plan.ROWS"] = 2
    if chance.random() < 0.2:
        patches["proactive.deliver._TURN"] = 0.03
        patches["proactive.plan._TURN"] = 0.01
    if chance.random() < 0.3:
        patches["proactive.relay._PUSH"] = 0.03
    cancelled_at = chance.randint(0, size) if chance.random() < 0.15 else None
    if cancelled_at is not None and chance.random() < 0.7:
        patches["proactive.window._CANCEL_CHECK"] = 0.0
    parallelism = chance.choice([1, 2, 5, 10, 20, 26, 50, chance.randint(1, 50)])
    return Scenario(
        seed=seed,
        reachable=met if everyone else met[:size],
        never_met=[] if everyone else chance.sample(NEVER_MET, chance.randint(0, 3) if some else 0),
        blocked=blocked,
        chatting=chatting,
        moved=moved,
        everyone=everyone,
        parallelism=parallelism,
        if_chat_is_active=chance.choice(["send", "dontSendAndSucceed", "dontSendAndFail", "postpone", "postpone"]),
        if_outcome_unknown=chance.choice(["resend", "leave"]),
        waits=chance.random() < 0.2,
        calls_back=chance.random() < 0.35,
        cancelled_at=cancelled_at,
        instances=chance.choice([1, 1, 2]),
        weather=_weather(chance, slow=size <= 10 * parallelism),
        patches=patches,
    )


def cuts(seed: int, points: Sequence[str]) -> list[Cut]:
    """Return where a run is cut that came to these points: at one of them, and often at some more after that.

    By turns any kind of point is as likely as another, and any moment: most moments are those of messages.
    """
    chance = random.Random(~seed)
    made: list[Cut] = []
    while not made or (len(made) < 4 and chance.random() < 0.4):
        point = chance.choice(sorted(set(points)) if chance.random() < 0.5 else points)
        made.append(Cut(point, chance.randint(1, points.count(point))))
    return made


def _weather(chance: random.Random, *, slow: bool) -> list[Fault]:
    """Return some of what may go wrong with Teams; `slow` where there is time for each answer to take some."""
    latency = {"delay": 0.002, "jitter": 0.01} if slow and chance.random() < 0.6 else {}
    share = chance.choice([0.0, 0.0, 0.0, 0.1, 0.1, 0.3])
    kinds: Sequence[dict[str, Any]] = (
        {"status": 412},
        {"status": 502},
        {"status": 502, "accepted": True},
        {"status": 503},
        {"status": 504, "accepted": True},
        {"cut": "reset"},
        {"cut": "reset", "accepted": True},
        {"cut": "close", "accepted": True},
        {"delay": 0.02, "jitter": 0.1},
        *([{"status": 429, "retry_after": 1}] if chance.random() < 0.3 else []),
    )
    seed = chance.randrange(2**32)
    faults = [Fault(**kind, probability=share / len(kinds), seed=seed + n) for n, kind in enumerate(kinds) if share]
    return faults + ([Fault(**latency, seed=seed)] if latency else [])
