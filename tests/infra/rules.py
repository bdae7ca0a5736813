"""Rules of a deployment: each a named check, kept with the changes of which every one has to break it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.infra.bicep import Deployment, broken

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

    def tests(self) -> tuple[Callable[[Rule], None], Callable[[Rule, Change], None]]:
        """Return a test that the deployment keeps each rule, and one that each change breaks its rule."""

        @pytest.mark.parametrize("rule", self, ids=lambda each: each.name)
        def keeps(rule: Rule) -> None:
            rule.holds(Deployment())

        @pytest.mark.parametrize(("rule", "change"), self.changes(), ids=self.names())
        def breaks(rule: Rule, change: Change) -> None:
            # GIVEN a deployment with one place changed, which is still Bicep
            deployment = broken(*change)

            # WHEN the rule is checked, THEN it fails
            with pytest.raises(AssertionError):
                rule.holds(deployment)

        return keeps, breaks

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
