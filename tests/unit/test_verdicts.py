"""What every answer of the Bot Connector means, in each of the shapes that its bodies come in.

The errors and the shapes of their bodies are those of the stand-in for Teams, which has them from Microsoft's tables.
"""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.teams.errors import ERRORS, Shape, refuse
from proactive.verdicts import Kind, Verdict, error_code, judge

NOW = datetime(2026, 9, 21, 12, tzinfo=UTC)
DAY = 86_400.0
SHAPES: list[Shape] = ["error", "legacy", "text", "empty"]

BY_STATUS = {
    400: Kind.REFUSED,
    401: Kind.REFUSED,
    403: Kind.REFUSED,
    404: Kind.REFUSED,
    412: Kind.RETRY,
    413: Kind.TOO_LARGE,
    429: Kind.RETRY,
    500: Kind.REFUSED,
    502: Kind.DOUBT,
    503: Kind.RETRY,
    504: Kind.DOUBT,
}
UNREACHABLE = {
    "BotDisabledByAdmin": "disabledByAdmin",
    "BotNotInConversationRoster": "notInstalled",
    "ConversationBlockedByUser": "blocked",
    "ForbiddenOperationException": "notInstalled",
    "MessageWritesBlocked": "blocked",
    "NotEnoughPermissions": "noPermission",
}
# The table of Microsoft's documentation, row by row; the reason is Teams' own code where none is given.
TABLE: dict[str, tuple[int, Kind, str]] = {
    "BadArgument": (400, Kind.REFUSED, ""),
    "BotNotRegistered": (401, Kind.REFUSED, ""),
    "BotDisabledByAdmin": (403, Kind.NOT_INSTALLED, "disabledByAdmin"),
    "BotNotInConversationRoster": (403, Kind.NOT_INSTALLED, "notInstalled"),
    "ConversationBlockedByUser": (403, Kind.NOT_INSTALLED, "blocked"),
    "MessageWritesBlocked": (403, Kind.NOT_INSTALLED, "blocked"),
    "ForbiddenOperationException": (403, Kind.NOT_INSTALLED, "notInstalled"),
    "NotEnoughPermissions": (403, Kind.NOT_INSTALLED, "noPermission"),
    "InvalidBotApiHost": (403, Kind.ELSEWHERE, ""),
    "ConversationNotFound": (404, Kind.GONE, ""),
    "ActivityNotFoundInConversation": (404, Kind.REFUSED, ""),
    "MemberNotFoundInConversation": (404, Kind.REFUSED, ""),
    "PreconditionFailed": (412, Kind.RETRY, ""),
    "MessageSizeTooBig": (413, Kind.TOO_LARGE, ""),
    "RequestEntityTooLarge": (413, Kind.TOO_LARGE, ""),
    "Throttled": (429, Kind.RETRY, ""),
    "ServiceError": (500, Kind.REFUSED, ""),
    "BadGateway": (502, Kind.DOUBT, ""),
    "ServiceUnavailable": (503, Kind.RETRY, ""),
    "GatewayTimeout": (504, Kind.DOUBT, ""),
}
# What tells who or what is meant: without it, only the status counts.
TELLING = {code for code, (_, kind, _) in TABLE.items() if kind in (Kind.NOT_INSTALLED, Kind.ELSEWHERE, Kind.GONE)}


def meaning(status: int, body: bytes = b"", **headers: str) -> Verdict:
    named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return judge(status, named, body, NOW.timestamp())


def wait(retry_after: str) -> float:
    return meaning(429, Retry_After=retry_after).retry_after


# --- delivered


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_delivered_message_has_its_id(status: int) -> None:
    assert meaning(status, b'{"id": "1:abc"}') == Verdict(Kind.DELIVERED, message_id="1:abc")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b'"1:abc"', b"<html>", b"\xff", b'{"id": 7}', b'{"id": null}', b'{"id": "1:a']
)
def test_a_delivered_message_stays_delivered_whatever_the_body_says(body: bytes) -> None:
    # Whoever took this for a failure would send a second copy.
    assert meaning(201, body) == Verdict(Kind.DELIVERED)


# --- errors


def test_the_table_has_every_error_that_is_documented() -> None:
    assert {code: status for code, (status, _, _) in TABLE.items()} == {code: row[0] for code, row in ERRORS.items()}


@pytest.mark.parametrize("shape", ["error", "legacy"])
@pytest.mark.parametrize("code", TABLE)
def test_each_row_of_the_table_in_json(code: str, shape: Shape) -> None:
    status, kind, reason = TABLE[code]
    assert meaning(status, refuse(code, shape=shape).body) == Verdict(kind, reason or code, throttled=status == 429)


@pytest.mark.parametrize("code", TABLE)
def test_each_row_of_the_table_in_plain_text(code: str) -> None:
    status, kind, reason = TABLE[code]
    verdict = meaning(status, refuse(code, shape="text").body)
    assert verdict.kind is kind
    if code in TELLING:
        assert verdict.reason == (reason or code)


@pytest.mark.parametrize("code", TABLE)
def test_each_row_of_the_table_without_a_body(code: str) -> None:
    status = TABLE[code][0]
    assert meaning(status) == Verdict(BY_STATUS[status], f"HTTP {status}", throttled=status == 429)


@pytest.mark.parametrize("code", sorted(UNREACHABLE))
def test_the_code_may_stand_outside_of_an_error_object_and_beside_json_text(code: str) -> None:
    for body in (
        {"errorCode": code, "message": "no"},
        {"errorCode": code, "message": json.dumps({"details": "no"})},
        {"code": code, "message": "no"},
    ):
        assert meaning(403, json.dumps(body).encode()) == Verdict(Kind.NOT_INSTALLED, UNREACHABLE[code]), body


@pytest.mark.parametrize(
    "body",
    [
        {"errorCode": 209, "message": '{\r\n  "subCode": "MessageWritesBlocked",\r\n  "errorCode": null\r\n}'},
        {"errorCode": 209, "message": "Message writes are blocked"},
        {"errorCode": "209", "message": "{}"},
        {"errorCode": 209},
    ],
)
def test_209_is_how_older_bodies_say_that_the_bot_is_blocked(body: dict[str, object]) -> None:
    assert meaning(403, json.dumps(body).encode()) == Verdict(Kind.NOT_INSTALLED, "blocked")


@pytest.mark.parametrize(
    "body", [b"", b"Forbidden", b"<html><body>403</body></html>", b"{}", b"null", b"{", b"\xff\xfe"]
)
def test_a_403_that_names_no_code_is_no_proof_that_the_bot_is_gone(body: bytes) -> None:
    assert meaning(403, body) == Verdict(Kind.REFUSED, "HTTP 403")


@pytest.mark.parametrize("status", [400, 413])
@pytest.mark.parametrize("code", ["MessageSizeTooBig", "RequestEntityTooLarge"])
def test_too_large_is_told_by_code_and_by_status(status: int, code: str) -> None:
    verdict = meaning(status, refuse(code, status=status).body)
    assert (verdict.kind, verdict.reason) == (Kind.TOO_LARGE, code)
    assert meaning(413).kind is Kind.TOO_LARGE


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "BotDisabledByAdmin"), (502, "BotDisabledByAdmin"), (503, "MessageSizeTooBig"), (429, "209")],
)
def test_a_code_says_nothing_about_a_person_where_the_status_speaks_of_the_service(status: int, code: str) -> None:
    assert meaning(status, refuse(code, status=status).body).kind is BY_STATUS[status]


@pytest.mark.parametrize(
    "text",
    [
        "Conversation not found",
        "Not found: ConversationNotFound",
        "ConversationNotFound" * 9,
        "209: blocked",
        "BadStuff: ",
    ],
)
def test_in_plain_text_only_a_code_at_its_beginning_counts(text: str) -> None:
    assert meaning(404, text.encode()) == Verdict(Kind.REFUSED, "HTTP 404")


@pytest.mark.parametrize("status", sorted(BY_STATUS))
def test_without_a_code_the_reason_is_the_status(status: int) -> None:
    for body in (b"", b"Something went wrong"):
        assert meaning(status, body) == Verdict(BY_STATUS[status], f"HTTP {status}", throttled=status == 429)


@pytest.mark.parametrize(
    "status", [408, 301, 302, 404, 405, 410, 418, 451, 499, 501, 505, 507, 511, 599, 100, 204, 600]
)
def test_another_status_is_tried_again_only_where_the_message_may_have_got_lost(status: int) -> None:
    assert meaning(status).kind is (Kind.DOUBT if status == 408 else Kind.REFUSED)


@pytest.mark.parametrize("shape", ["error", "text"])
def test_a_conversation_of_another_bot_can_be_created_again(shape: Shape) -> None:
    answer = refuse("BadArgument", "Failed to decrypt conversation id", shape=shape)
    assert meaning(answer.status, answer.body) == Verdict(Kind.GONE, "BadArgument")


def test_another_bad_argument_is_final() -> None:
    answer = refuse("BadArgument", "Failed to decrypt pairwise id")
    assert meaning(answer.status, answer.body) == Verdict(Kind.REFUSED, "BadArgument")


@pytest.mark.parametrize(
    "code",
    ["", "a b", "x" * 65, "<script>", "ada@contoso.com", "line\nbreak", "Grüße", 'quote"', None, [], {}],
)
def test_a_forged_code_is_not_passed_on(code: object) -> None:
    assert error_code(json.dumps({"error": {"code": code}}).encode()) == ""


# --- Retry-After


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("5", 5),
        (" 30 ", 30),
        ("007", 7),
        ("86400", DAY),
        ("86401", DAY),
        ("999999999999", DAY),
        ("9" * 5_000, DAY),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        ("Mon, 21 Sep 2026 12:01:30 +0000", 90),
        ("Mon, 21 Sep 2026 14:01:30 +0200", 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_retry_after_is_read_as_seconds_and_as_a_date_and_is_never_more_than_a_day(text: str, seconds: float) -> None:
    assert wait(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "-5",
        "+5",
        "1.5",
        "1e3",
        "5s",
        "²",
        "Mon, 99 Sep 2026 12:00:00 GMT",
        "2026-09-21T12:01:30Z",
        "Mon",
        ", ,",
        "Mon, 21 Sep 2026",
        "Mon, 21 Sep 99999 12:00:00 GMT",
        "Mon, 21 Sep 0000 12:00:00 GMT",
    ],
)
def test_an_unreadable_retry_after_asks_for_nothing(text: str) -> None:
    assert wait(text) == 0


@pytest.mark.parametrize("status", [412, 429, 503])
def test_retry_after_counts_wherever_the_message_is_tried_again(status: int) -> None:
    assert meaning(status, Retry_After="7").retry_after == 7
    assert meaning(status).retry_after == 0


# --- whatever comes


nested = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.sampled_from(["209", "BadArgument", "{", "{}"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "code", "message", "errorCode", "id"]), inner, max_size=4)
    ),
    max_leaves=8,
)
bodies = (
    st.binary(max_size=40)
    | nested.map(lambda value: json.dumps(value).encode())
    | st.tuples(nested, nested).map(
        lambda pair: json.dumps({"errorCode": pair[0], "message": json.dumps(pair[1])}).encode()
    )
)


@given(st.sampled_from([200, 201, 302, 400, 403, 404, 413, 429, 500, 502, 503]), bodies, st.text(max_size=30))
@example(201, b"[" * 100_000, "")
@example(201, b'{"id":' * 100_000, "")
@example(403, b"[" * 100_000, "")
@example(403, b'{"error":' * 100_000, "")
@example(403, b'{"errorCode": ' + b"9" * 5_000 + b"}", "")
@example(429, b"", "9" * 5_000)
@example(429, b"", "Fri, 31 Dec 9999 23:59:59 -2359")
@example(429, b"", "Mon, 01 Jan 0001 00:00:00 +2359")
def test_no_answer_whatever_it_holds_is_an_error_of_ours(status: int, body: bytes, retry_after: str) -> None:
    verdict = judge(status, {"retry-after": retry_after}, body, NOW.timestamp())
    assert (verdict.kind is Kind.DELIVERED) == (status < 300)
    assert len(verdict.reason) <= 64
    assert verdict.reason.isascii()
    assert verdict.retry_after >= 0
