"""Expressions mean here what they mean to a flow."""

import pytest

from tests.flows.expressions import ExpressionError, value

KNOWN = {"body": lambda name: {"a": {"b": [1, 2]}, "n": None}[name], "text": lambda: "x"}


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("plain", "plain"),
        ("@@plain", "@plain"),
        ("a@b.c", "a@b.c"),
        ("@body('a')?['b'][1]", 2),
        ("@body('a').b", [1, 2]),
        ("@body('n')?['b']?['c']", None),
        ("@{body('a')['b']} and @{text()}", "[1, 2] and x"),
        ("@{body('n')}", ""),
        ("@concat('it''s ', 5)", "it's 5"),
        ("@not(equals(1, 2))", True),
        ("@coalesce(body('n'), 'else')", "else"),
        ({"@{text()}": ["@text()", 5]}, {"x": ["x", 5]}),
    ],
    ids=str,
)
def test_a_value_is_worked_out(template, found):
    assert value(template, KNOWN) == found


@pytest.mark.parametrize(
    "template", ["@body('a')['z']", "@nope()", "@concat('a'", "@text() text()", "@not('x')", "@{text()"]
)
def test_what_a_platform_would_refuse_fails(template):
    with pytest.raises(ExpressionError):
        value(template, KNOWN)
