"""Rules of a deployment: each a named check, kept with the changes of which every one has to break it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.infra.bicep import Deployment

type Check = Callable[[Deployment], None]
type Change = tuple[str, str, str]


@dataclass(frozen=True)
class Rule:
    holds: Check
    breaks: tuple[Change, ...]

    @property
    def name(self) -> str:
        return self.holds.__name__


class Rules(list[Rule]):
    """The rules of one module of tests."""

    def rule(self, *breaks: Change) -> Callable[[Check], Check]:
        """Keep a rule with the changes (file, old, new) of which each has to break it."""

        def keep(holds: Check) -> Check:
            self.append(Rule(holds, breaks))
            return holds

        return keep

    def changes(self) -> list[tuple[Rule, Change]]:
        """Return each change with the rule that it breaks."""
        return [(each, change) for each in self for change in each.breaks]

    def names(self) -> list[str]:
        """Return a name for each change."""
        return [f"{each.name}-{number}" for each in self for number, _ in enumerate(each.breaks)]


def by_condition(value: Any, name: str) -> tuple[Any, Any]:
    """Return both values of `name ? one : other`."""
    operands = value["operator"]["operands"] if isinstance(value, dict) else {}
    assert operands.get("condition") == name
    return operands["true_value"], operands["false_value"]
