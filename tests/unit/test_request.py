"""A request to send is checked whole: every rule of its fields, all errors at once, each with its pointer."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proactive.content import encode, size_error
from proactive.entries import MAX_ENTRIES
from proactive.model import Entry, Options, Request
from proactive.problems import ProblemError
from proactive.request import read
from proactive.times import DAY, write_duration

CARDS = Path(__file__).parent.parent / "cards"
MENU = json.loads((CARDS / "canteen-menu.json").read_text())
CARD = {"type": "AdaptiveCard", "version": "1.5", "body": [], "actions": []}
NOW = datetime(2026, 9, 21, 12, tzinfo=UTC).timestamp()
LARGEST = 102_400
BASE: dict[str, Any] = {"recipients": ["ada@contoso.com"], "message": "Hi"}
ADA = Entry("person", "ada@contoso.com")
ABSENT = object()


def body(**changes: Any) -> dict[str, Any]:
    """Return a valid body with changes; a member that is ABSENT is left out."""
    return {name: value for name, value in {**BASE, **changes}.items() if value is not ABSENT}


def accepted(*, largest: int = LARGEST, **changes: Any) -> Request:
    return read(body(**changes), now=NOW, largest=largest)


def problem(value: Any, *, largest: int = LARGEST) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        read(value, now=NOW, largest=largest)
    return caught.value


def refused(*, largest: int = LARGEST, **changes: Any) -> dict[str, str]:
    """Return pointer → detail of a request that is refused with 400."""
    found = problem(body(**changes), largest=largest)
    assert found.status == 400
    assert len({error.pointer for error in found.errors}) == len(found.errors)
    return dict(found.errors)


def in_days(days: float, seconds: float = 0) -> str:
    return (datetime.fromtimestamp(NOW, UTC) + timedelta(days=days, seconds=seconds)).isoformat()


# --- what is accepted


def test_the_least_that_can_be_sent_gets_the_contracts_defaults() -> None:
    request = accepted()
    assert request == Request(recipients=[ADA], message="Hi")
    assert request.text_format == "markdown"
    assert request.options == Options(
        label_as_notification=False,
        if_chat_is_active="send",
        if_bot_not_installed="fail",
        if_outcome_unknown="resend",
        parallelism=20,
        deliver_within=DAY,
    )


@pytest.mark.parametrize(
    ("given_recipients", "entries"),
    [
        (["ada@contoso.com"], [ADA]),
        ("ada@contoso.com", [ADA]),
        (" ada@contoso.com ;; Bob Jones ; ", [ADA, Entry("person", "Bob Jones")]),
        (["  ada@contoso.com\n"], [ADA]),
        (["ada; bob"], [Entry("person", "ada; bob")]),  # only a bare string is a list of addresses
        ([{"user": " 29:1a "}], [Entry("user", "29:1a")]),
        ([{"everyone": True}], [Entry("everyone")]),
        ([{"group": " Sales "}, {"team": "x"}], [Entry("group", "Sales"), Entry("team", "x")]),
        (
            ["ada@contoso.com", {"user": "bob"}, {"everyone": True}, "ada@contoso.com"],
            [ADA, Entry("user", "bob"), Entry("everyone"), ADA],
        ),
        (["x" * 256], [Entry("person", "x" * 256)]),
    ],
)
def test_recipients_are_read_in_each_form(given_recipients: object, entries: list[Entry]) -> None:
    assert accepted(recipients=given_recipients).recipients == entries


@pytest.mark.parametrize(
    ("message", "text", "text_format"),
    [
        ("*Hi*", "*Hi*", "markdown"),
        ({"text": "Hi"}, "Hi", "markdown"),
        ({"text": "Hi", "format": "markdown"}, "Hi", "markdown"),
        ({"text": "Hi", "format": "plain"}, "Hi", "plain"),
        ({"text": "<b>Hi</b>", "format": "xml"}, "<b>Hi</b>", "xml"),
        (" Hi\n", " Hi\n", "markdown"),
        ("${not a card}", "${not a card}", "markdown"),
    ],
)
def test_a_message_is_read_in_each_form(message: object, text: str, text_format: str) -> None:
    request = accepted(message=message)
    assert (request.message, request.text_format, request.card) == (text, text_format, None)


@pytest.mark.parametrize("card", [CARD, MENU])
def test_a_card_may_be_an_object_or_its_text(card: dict[str, Any]) -> None:
    for form in (card, json.dumps(card), "\ufeff" + json.dumps(card, indent=2)):
        request = accepted(message=ABSENT, card=form, summary="Order")
        assert (request.card, request.message, request.summary) == (card, None, "Order")


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("labelAsNotification", True, "label_as_notification", True),
        ("ifChatIsActive", "dontSendAndSucceed", "if_chat_is_active", "dontSendAndSucceed"),
        ("ifChatIsActive", "dontSendAndFail", "if_chat_is_active", "dontSendAndFail"),
        ("ifBotNotInstalled", "succeedWithStatusCode", "if_bot_not_installed", "succeedWithStatusCode"),
        ("ifBotNotInstalled", "install", "if_bot_not_installed", "install"),
        ("ifOutcomeUnknown", "resend", "if_outcome_unknown", "resend"),
        ("parallelism", 1, "parallelism", 1),
        ("parallelism", 50, "parallelism", 50),
        ("deliverWithin", "PT1M", "deliver_within", 60),
        ("deliverWithin", "P7D", "deliver_within", 7 * DAY),
        ("deliverWithin", "PT168H", "deliver_within", 7 * DAY),
    ],
)
def test_every_option_is_read(name: str, value: object, field: str, expected: object) -> None:
    assert getattr(accepted(options={name: value}).options, field) == expected


@pytest.mark.parametrize(
    ("send_at", "expected"),
    [
        (in_days(1), NOW + DAY),
        (in_days(30), NOW + 30 * DAY),
        (in_days(-1), NOW - DAY),  # late is now
        ("2026-09-22T12:00:00.0000000Z", NOW + DAY),
        ("2026-09-22T14:00:00+02:00", NOW + DAY),
    ],
)
def test_send_at_is_a_moment_at_most_30_days_ahead(send_at: str, expected: float) -> None:
    assert accepted(sendAt=send_at).send_at == pytest.approx(expected)


def test_the_bot_and_the_tenant_are_read() -> None:
    request = accepted(bot="orders", tenant="AAAA0000-BBBB-1111-CCCC-222222222222")
    assert request.bot == "orders"
    assert request.tenant == "aaaa0000-bbbb-1111-cccc-222222222222"  # Entra's ids have no case


def test_null_is_as_good_as_absent_since_flows_hand_over_empty_inputs() -> None:
    # GIVEN every optional field as null, WHEN it is read, THEN nothing but the defaults is there
    optional = ("bot", "tenant", "card", "summary", "wait", "callbackUrl", "sendAt", "options")
    assert read(body(**dict.fromkeys(optional)), now=NOW, largest=LARGEST) == accepted()
    options = ("labelAsNotification", "ifChatIsActive", "ifBotNotInstalled", "parallelism", "deliverWithin")
    assert accepted(options=dict.fromkeys(options)) == accepted()


# --- what is refused


@pytest.mark.parametrize("value", [None, [], "{}", 7, True])
def test_a_body_that_is_no_object_is_refused(value: object) -> None:
    found = problem(value)
    assert found.status == 400
    assert [error.pointer for error in found.errors] == [""]


@pytest.mark.parametrize(
    ("changes", "pointer", "said"),
    [
        ({"recipients": ABSENT}, "/recipients", "at least one"),
        ({"recipients": None}, "/recipients", "at least one"),
        ({"recipients": []}, "/recipients", "at least one"),
        ({"recipients": ""}, "/recipients", "at least one"),
        ({"recipients": " ; ;"}, "/recipients", "at least one"),
        ({"recipients": {"user": "ada"}}, "/recipients", "array"),
        ({"recipients": 5}, "/recipients", "array"),
        ({"recipients": ["ada", ""]}, "/recipients/1", "256"),
        ({"recipients": ["  "]}, "/recipients/0", "256"),
        ({"recipients": ["x" * 257]}, "/recipients/0", "256"),
        ({"recipients": [None]}, "/recipients/0", "everyone"),
        ({"recipients": [["ada"]]}, "/recipients/0", "everyone"),
        ({"recipients": [{}]}, "/recipients/0", "everyone"),
        ({"recipients": [{"user": "a", "group": "b"}]}, "/recipients/0", "everyone"),
        ({"recipients": [{"user": ""}]}, "/recipients/0/user", "256"),
        ({"recipients": [{"user": 7}]}, "/recipients/0/user", "text"),
        ({"recipients": [{"everyone": False}]}, "/recipients/0/everyone", "true"),
        ({"recipients": [{"everyone": 1}]}, "/recipients/0/everyone", "true"),
        ({"recipients": [{"channel": "c"}]}, "/recipients/0/channel", "no such kind"),
        ({"recipients": [{"a/b~c": "c"}]}, "/recipients/0/a~1b~0c", "no such kind"),
        ({"message": ABSENT}, "/message", "message or card"),
        ({"message": ABSENT, "summary": "Hi"}, "/message", "message or card"),
        ({"message": ""}, "/message", "."),
        ({"message": " \n\t"}, "/message", "."),
        ({"message": 5}, "/message", "text"),
        ({"message": ["Hi"]}, "/message", "text"),
        ({"message": {}}, "/message/text", "."),
        ({"message": {"text": ""}}, "/message/text", "."),
        ({"message": {"text": " \n"}}, "/message", "."),
        ({"message": {"text": 5}}, "/message/text", "."),
        ({"message": {"text": "Hi", "format": "html"}}, "/message/format", "xml"),
        ({"message": {"text": "Hi", "textFormat": "xml"}}, "/message/textFormat", "no such field"),
        ({"card": CARD}, "/message", "not both"),
        ({"message": ABSENT, "card": 5}, "/card", "Adaptive Card"),
        ({"message": ABSENT, "card": [CARD]}, "/card", "Adaptive Card"),
        ({"message": ABSENT, "card": json.dumps([CARD])}, "/card", "Adaptive Card"),
        ({"message": ABSENT, "card": "null"}, "/card", "Adaptive Card"),
        ({"message": ABSENT, "card": ""}, "/card", "line 1, column 1"),
        ({"message": ABSENT, "card": "Hi"}, "/card", "line 1, column 1"),
        ({"message": ABSENT, "card": '{"a": 1, "a": 2}'}, "/card", "twice"),
        ({"message": ABSENT, "card": {**CARD, "type": "Card"}}, "/card/type", "AdaptiveCard"),
        ({"message": ABSENT, "card": {**CARD, "actions": [{"type": "Submit"}]}}, "/card/actions/0/type", "Action."),
        (
            {"message": ABSENT, "card": json.dumps({**CARD, "actions": [{}]})},
            "/card/actions/0/type",
            "Action.",
        ),
        (
            {"message": ABSENT, "card": {**CARD, "body": [{"type": "TextBlock", "text": "${name}"}]}},
            "/card/body/0/text",
            "template",
        ),
        ({"summary": 5}, "/summary", "."),
        ({"summary": "x" * 1_025}, "/summary", "1024"),
        ({"bot": 5}, "/bot", "."),
        ({"tenant": ["t"]}, "/tenant", "."),
        ({"sendAt": 5}, "/sendAt", "."),
        ({"sendAt": "tomorrow"}, "/sendAt", "zone"),
        ({"sendAt": "2026-09-22T12:00:00"}, "/sendAt", "zone"),
        ({"sendAt": in_days(30, seconds=1)}, "/sendAt", "30 days"),
        ({"options": []}, "/options", "object"),
        ({"options": "fast"}, "/options", "object"),
        ({"options": {"labelAsNotification": "true"}}, "/options/labelAsNotification", "."),
        ({"options": {"labelAsNotification": 1}}, "/options/labelAsNotification", "."),
        ({"options": {"ifChatIsActive": "dontSend"}}, "/options/ifChatIsActive", "dontSendAndFail"),
        ({"options": {"ifBotNotInstalled": "succeed"}}, "/options/ifBotNotInstalled", "succeedWithStatusCode"),
        ({"options": {"ifOutcomeUnknown": True}}, "/options/ifOutcomeUnknown", "leave"),
        ({"options": {"parallelism": 0}}, "/options/parallelism", "1"),
        ({"options": {"parallelism": 51}}, "/options/parallelism", "50"),
        ({"options": {"parallelism": "20"}}, "/options/parallelism", "."),
        ({"options": {"parallelism": 2.5}}, "/options/parallelism", "."),
        ({"options": {"parallelism": True}}, "/options/parallelism", "."),
        ({"options": {"deliverWithin": "24h"}}, "/options/deliverWithin", "ISO 8601"),
        ({"options": {"deliverWithin": "PT59S"}}, "/options/deliverWithin", "between PT1M and P7D"),
        ({"options": {"deliverWithin": "P7DT1S"}}, "/options/deliverWithin", "between PT1M and P7D"),
        ({"options": {"deliverWithin": 60}}, "/options/deliverWithin", "."),
        ({"options": {"parallel": 5}}, "/options/parallel", "no such field"),
        ({"recipient": "ada"}, "/recipient", "no such field"),
        ({"Message": "Hi"}, "/Message", "no such field"),
        ({"sendat": in_days(1)}, "/sendat", "no such field"),
        ({"send_at": in_days(1)}, "/send_at", "no such field"),
        ({"a/b": 1}, "/a~1b", "no such field"),
        ({"~": 1}, "/~0", "no such field"),
        ({"": 1}, "/", "no such field"),
        ({"str": 1}, "/str", "no such field"),
        ({"dat": {"name": "Ada"}}, "/dat", "no such field"),
        ({"wait": {"timeout": "PT1H"}}, "/wait", "card"),
        ({"message": ABSENT, "card": CARD, "wait": 5}, "/wait", "."),
        ({"message": ABSENT, "card": CARD, "wait": {"timeout": "PT30S"}}, "/wait/timeout", "between PT1M and P30D"),
        ({"message": ABSENT, "card": CARD, "wait": {"timeout": "P31D"}}, "/wait/timeout", "between PT1M and P30D"),
        ({"message": ABSENT, "card": CARD, "wait": {"timeout": "soon"}}, "/wait/timeout", "ISO 8601"),
        ({"message": ABSENT, "card": CARD, "wait": {"completeWhen": "any"}}, "/wait/completeWhen", "each"),
        ({"message": ABSENT, "card": CARD, "wait": {"until": "P1D"}}, "/wait/until", "no such field"),
        ({"callbackUrl": 5}, "/callbackUrl", "."),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_breaks_a_rule_is_refused_with_its_pointer(changes: dict[str, Any], pointer: str, said: str) -> None:
    errors = refused(**changes)
    where = next((found for found in errors if found == pointer or found.startswith(pointer + "/")), None)
    assert where is not None, errors
    assert said in errors[where]


def test_all_errors_are_found_at_once() -> None:
    errors = refused(
        recipients=["", "ada", {"channel": "c"}],
        message="Hi",
        card={"type": "AdaptiveCard", "version": "9.9"},
        summary=5,
        sendAt="soon",
        to="ada",
        options={"parallelism": 99, "deliverWithin": "P8D", "speed": 1},
    )
    assert set(errors) == {
        "/recipients/0",
        "/recipients/2/channel",
        "/message",
        "/card/version",
        "/summary",
        "/sendAt",
        "/to",
        "/options/parallelism",
        "/options/deliverWithin",
        "/options/speed",
    }


def test_an_unknown_field_is_refused_even_when_it_is_null() -> None:
    assert list(refused(sendat=None)) == ["/sendat"]


def test_a_malformed_card_text_is_named_by_line_and_column() -> None:
    # GIVEN the card of Microsoft's article as it is printed there, with a comma too many
    text = (CARDS / "order-confirmation.as-printed.json").read_text()
    line = next(number for number, content in enumerate(text.splitlines(), 1) if '"Edit Order",' in content)
    # WHEN it is sent, THEN the error stands at the card and leads to the line
    errors = refused(message=ABSENT, card=text)
    assert list(errors) == ["/card"]
    assert f"line {line}, column" in errors["/card"]


@pytest.mark.parametrize("as_text", [False, True])
def test_a_card_may_have_as_many_bytes_as_teams_takes_and_not_one_more(as_text: bool) -> None:
    card = {**CARD, "body": [{"type": "TextBlock", "text": "Grüße 😀"}]}
    size = len(encode(card).decode().encode("utf-16-le"))
    assert size_error("/card", card, size) is None
    given_card = json.dumps(card, indent=8) if as_text else card  # white space of the text does not go out
    assert accepted(message=ABSENT, card=given_card, largest=size).card == card
    found = problem(body(message=ABSENT, card=given_card), largest=size - 1)
    assert found.status == 413
    assert [error.pointer for error in found.errors] == ["/card"]
    assert str(size) in found.errors[0].detail


def test_a_large_card_beside_another_error_is_told_with_it() -> None:
    errors = refused(message=ABSENT, card=CARD, recipients=[], largest=10)
    assert set(errors) == {"/card", "/recipients"}


def test_a_hundred_thousand_recipients_are_taken_and_no_more() -> None:
    many = ["ada@contoso.com"] * MAX_ENTRIES
    assert MAX_ENTRIES == 100_000
    assert len(accepted(recipients=many).recipients) == MAX_ENTRIES
    assert len(accepted(recipients=";".join(many)).recipients) == MAX_ENTRIES
    assert list(refused(recipients=[*many, "bob"])) == ["/recipients"]


def test_a_great_many_errors_make_an_answer_of_bounded_size() -> None:
    assert 0 < len(refused(recipients=[""] * 1_000)) <= 100


@pytest.mark.parametrize(
    "changes",
    [
        {"message": 5},
        {"message": "x" * 1_000_001},
        {"message": {"text": "x" * 1_000_001}},
        {"message": {"text": 5, "format": 5, "more": 5}},
        {"options": 5, "wait": 5, "recipients": 5, "card": 5, "sendAt": 5, "callbackUrl": 5},
    ],
)
def test_no_error_tells_of_our_own_insides(changes: dict[str, Any]) -> None:
    for detail in refused(**changes).values():
        assert detail.endswith(".")
        assert not [word for word in ("_Message", "_Options", "_Wait", "dictionary", "constrained") if word in detail]


# --- properties


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["PT1H", "P30D", "2026-09-22T12:00:00Z", "null", "{}", json.dumps(CARD), "a;b", "leave", "xml"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text", "format", "user", "everyone", "timeout", "parallelism", "deliverWithin", "type"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
field_names = st.sampled_from(
    ["bot", "tenant", "recipients", "message", "card", "summary", "wait", "callbackUrl", "sendAt", "options", "str"]
)


def leads_somewhere(pointer: str, value: Any) -> bool:
    """Tell whether all but the last part of a pointer is there; texts that hold several values are opened."""
    if pointer == "":
        return True
    for part in [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")][:-1]:
        if isinstance(value, str) and part != "text":
            return True  # the card's text, or addresses with ';' between them
        if isinstance(value, list):
            if not (part.isdecimal() and int(part) < len(value)):
                return False
            value = value[int(part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return False
    return True


def request_or_problem(value: Any) -> Request | ProblemError:
    try:
        return read(value, now=NOW, largest=LARGEST)
    except ProblemError as problem:
        return problem


@given(json_values | st.dictionaries(field_names, json_values, max_size=6).map(lambda changes: {**BASE, **changes}))
@example({**BASE, "message": None, "card": "null"})
@example({**BASE, "recipients": [{"": 0}]})
def test_any_json_value_is_a_request_or_a_problem_that_leads_to_its_fields(value: Any) -> None:
    found = request_or_problem(value)
    if isinstance(found, ProblemError):
        assert found.status in (400, 413)
        assert found.errors
        assert json.dumps(found.as_json())
        for error in found.errors:
            assert leads_somewhere(error.pointer, value), error
            assert error.detail
    else:
        assert found.recipients
        assert (found.message is None) != (found.card is None)
        assert found.message is None or found.message.strip()
        assert 60 <= found.options.deliver_within <= 7 * DAY
        assert 1 <= found.options.parallelism <= 50
        assert found.send_at is None or found.send_at <= NOW + 30 * DAY


named = st.text(min_size=1, max_size=20).filter(lambda text: bool(text.strip()))
people = st.lists(
    named.map(lambda name: (name, Entry("person", name.strip())))
    | named.map(lambda name: ({"user": name}, Entry("user", name.strip())))
    | named.map(lambda name: ({"group": name}, Entry("group", name.strip())))
    | named.map(lambda name: ({"team": name}, Entry("team", name.strip())))
    | st.just(({"everyone": True}, Entry("everyone"))),
    min_size=1,
    max_size=5,
)
options = st.builds(
    Options,
    label_as_notification=st.booleans(),
    if_chat_is_active=st.sampled_from(["send", "dontSendAndSucceed", "dontSendAndFail"]),
    if_bot_not_installed=st.sampled_from(["fail", "succeedWithStatusCode"]),
    parallelism=st.integers(1, 50),
    deliver_within=st.integers(1, 7 * 24 * 60).map(lambda minutes: minutes * 60.0),
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[dict[str, Any], Request]:
    """Draw a valid body and the request that it describes."""
    chosen = draw(people)
    given_body: dict[str, Any] = {"recipients": [form for form, _ in chosen]}
    fields: dict[str, Any] = {"recipients": [entry for _, entry in chosen]}
    match draw(st.sampled_from(["text", "object", "card", "card text"])):
        case "text":
            given_body["message"] = fields["message"] = draw(named)
        case "object":
            fields["message"], fields["text_format"] = draw(named), draw(st.sampled_from(["markdown", "plain", "xml"]))
            given_body["message"] = {"text": fields["message"], "format": fields["text_format"]}
        case form:
            text = draw(st.text(max_size=20)).replace("${", "")
            fields["card"] = {**CARD, "body": [{"type": "TextBlock", "text": text}]}
            given_body["card"] = fields["card"] if form == "card" else json.dumps(fields["card"])
    for name in draw(st.sets(st.sampled_from(["bot", "summary", "tenant"]))):
        given_body[name] = fields[name] = draw(st.text(max_size=20)).lower()
    if draw(st.booleans()):
        seconds = draw(st.integers(-86_400, 30 * 86_400))
        given_body["sendAt"], fields["send_at"] = in_days(0, seconds), NOW + seconds
    if draw(st.booleans()):
        fields["options"] = draw(options)
        given_body["options"] = fields["options"].as_json()
    return given_body, Request(**fields)


@given(requests())
def test_a_valid_body_becomes_the_request_it_describes(pair: tuple[dict[str, Any], Request]) -> None:
    given_body, expected = pair
    assert read(json.loads(json.dumps(given_body)), now=NOW, largest=LARGEST) == expected


@given(options)
def test_options_are_written_as_senders_write_them(some: Options) -> None:
    written = some.as_json()
    assert accepted(options=written).options == some
    assert written["deliverWithin"] == write_duration(some.deliver_within)


# --- templates with data

TEMPLATE = {**CARD, "body": [{"type": "TextBlock", "text": "Hi ${name}"}]}
DEEP: Any = {}
for _ in range(32):
    DEEP = {"d": DEEP}


def test_data_make_a_template_of_the_content_and_stay_with_whom_they_are_for() -> None:
    own = {"user": "bob", "data": {"name": "Bob"}}
    request = accepted(message=ABSENT, card=TEMPLATE, data={"name": "you"}, recipients=["ada@contoso.com", own])
    assert request.recipients == [ADA, Entry("user", "bob", {"name": "Bob"})]
    assert (request.card, request.data) == (TEMPLATE, {"name": "you"})
    assert accepted(message=ABSENT, card=json.dumps(TEMPLATE), recipients=[own]).data == {}
    assert accepted(message="${1 +}").data is None
    assert accepted(message="${1 +}", data=None, recipients=[{"user": "bob", "data": None}]).data is None


@pytest.mark.parametrize(
    ("changes", "where", "word"),
    [
        ({"data": []}, "/data", "object"),
        ({"data": "{}"}, "/data", "object"),
        ({"data": DEEP}, "/data", "deeply"),
        ({"data": {"x": "x" * 262_144}}, "/data", "too large"),
        ({"recipients": [{"user": "a", "data": 1}]}, "/recipients/0/data", "object"),
        ({"recipients": [{"user": "a", "data": {"x": "x" * 65_536}}]}, "/recipients/0/data", "too large"),
        ({"recipients": ["b", {"everyone": True, "data": {}}]}, "/recipients/1/data", "beside recipients"),
        ({"recipients": [{"data": {}}]}, "/recipients/0", "Give"),
        ({"recipients": [{"user": "a", "group": "b", "data": {}}]}, "/recipients/0", "Give"),
        ({"data": {}, "message": "${a b}"}, "/message", "${a b}"),
        ({"data": {}, "message": {"text": "${"}}, "/message/text", "}"),
        ({"data": {}, "summary": "${shout()}"}, "/summary", "shout"),
        (
            {"data": {}, "message": ABSENT, "card": {**CARD, "body": [{"text": "${a +}"}]}},
            "/card/body/0/text",
            "${a +}",
        ),
        ({"data": {}, "message": ABSENT, "card": {**CARD, "${x}": 1}}, "/card/${x}", "name"),
        (
            {"data": {}, "message": ABSENT, "card": TEMPLATE, "wait": {"updateMessage": TEMPLATE}},
            "/wait/updateMessage/body/0/text",
            "template",
        ),
    ],
)
def test_what_is_wrong_with_data_and_expressions_is_named(changes: dict[str, Any], where: str, word: str) -> None:
    assert word in refused(**changes)[where]


def test_a_template_that_is_nested_too_deeply_is_refused() -> None:
    deep: Any = "${a}"
    for _ in range(100):
        deep = [deep]
    assert "deeply" in refused(message=ABSENT, card={**CARD, "body": deep}, data={})["/card"]
