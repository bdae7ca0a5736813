"""Problem details and their pointers."""

import json
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proactive.problems import TITLES, FieldError, ProblemError, pointer


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((), ""),
        (("card",), "/card"),
        (("card", "actions", 1, "type"), "/card/actions/1/type"),
        (("a/b",), "/a~1b"),
        (("m~n",), "/m~0n"),
        (("~1",), "/~01"),  # an escaped tilde, not a slash
        (("",), "/"),
        ((" ", "é"), "/ /é"),
    ],
)
def test_a_pointer_is_escaped_by_rfc_6901(parts: tuple[str | int, ...], expected: str) -> None:
    assert pointer(*parts) == expected


@given(st.lists(st.text(alphabet="~/01a", max_size=6)))
def test_a_pointer_can_be_taken_apart_again(parts: list[str]) -> None:
    found = [part.replace("~1", "/").replace("~0", "~") for part in pointer(*parts).split("/")[1:]]
    assert found == parts


@pytest.mark.parametrize("status", sorted(TITLES))
def test_every_status_has_a_body_by_rfc_9457(status: int) -> None:
    problem = ProblemError(status, "It went wrong.", [FieldError("/card", "It is no card.")], {"Retry-After": "5"})
    assert HTTPStatus(status)
    assert json.loads(json.dumps(problem.as_json())) == {
        "type": "about:blank",
        "title": TITLES[status],
        "status": status,
        "detail": "It went wrong.",
        "errors": [{"pointer": "/card", "detail": "It is no card."}],
    }
    assert problem.headers == {"Retry-After": "5"}


def test_every_status_of_the_contract_has_a_title() -> None:
    assert {400, 401, 403, 404, 405, 409, 413, 415, 422, 424, 429, 503} <= set(TITLES)


def test_a_problem_without_fields_has_no_errors() -> None:
    problem = ProblemError(503, "Storage is away.")
    assert "errors" not in problem.as_json()
    assert problem.headers == {}
    assert problem.sentence == "Storage is away."
    assert str(problem) == "Storage is away."


def test_the_sentence_names_every_field_in_one_line() -> None:
    problem = ProblemError(400, "Two errors.", [FieldError("", "No object."), FieldError("/card/type", "No card.")])
    assert problem.sentence == "Two errors. /: No object. /card/type: No card."
