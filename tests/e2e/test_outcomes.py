"""What became of a send: outcomes, status, results, cancelling, and the lists for operators."""

import asyncio
import csv
import io
import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from local.teams import Fault, Person
from tests.stack import SENDS, card, ids, until

COUNTS = {"total", "pending", "delivered", "notInstalled", "chatActive", "failed", "unknown", "cancelled", "responded"}


def sums(counts) -> bool:
    assert set(counts) == COUNTS
    return sum(counts.values()) - counts["total"] - counts["responded"] == counts["total"]


async def slowly(stack, count, seconds=0.3):
    """Return people whose chats answer slowly."""
    people = await stack.join(count)
    for person in people:
        stack.teams.fault(Fault(person=person.object_id, operation="send", delay=seconds))
    return people


async def later(stack, count=1, seconds=3600):
    people = await stack.join(count)
    at = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    return people, await stack.accepted(ids(people), sendAt=at)


# The outcome's own address


async def test_an_outcome_is_202_until_there_is_one(stack):
    (ada,) = await slowly(stack, 1, 1.5)
    accepted = await stack.accepted([ada.object_id])

    reply = await stack.get(accepted["outcomeUrl"])

    reply.ok(202)
    assert reply.headers["Location"] == accepted["outcomeUrl"]
    assert int(reply.headers["Retry-After"]) == 5
    outcome = (await stack.outcome(accepted)).ok(200)
    assert outcome["id"] == accepted["id"]
    again = await stack.get(accepted["outcomeUrl"])
    assert again.ok(200) == outcome


async def test_an_outcome_of_a_failed_run_is_424(stack):
    (nobody,) = stack.strangers(1)
    outcome = (await stack.outcome(await stack.accepted([nobody.object_id]))).ok(424)
    assert (outcome["outcome"], outcome["statusCode"]) == ("completed", 100)


async def test_a_wrong_secret_opens_nothing(stack):
    first, second = [await stack.accepted(ids(stack.strangers(1))) for _ in range(2)]
    base = f"/api/outcomes/{first['id']}/"
    secret = first["outcomeUrl"].rpartition("/")[2]
    assert len(secret) >= 43
    wrong = [
        second["outcomeUrl"].rpartition("/")[2],
        secret[:-1],
        secret + "x",
        secret.swapcase(),
        "x",
        "%00",
        "%C3%A4",
    ]
    for text in wrong:
        (await stack.get(base + text)).is_problem(404)
    for path in (f"/api/outcomes/{'a' * 26}/{secret}", f"/api/outcomes/x/{secret}", f"/api/outcomes/%27/{secret}"):
        (await stack.get(path)).is_problem(404)
    assert (await stack.get(base)).status == 404
    assert (await stack.get(f"/api/outcomes/{first['id']}")).status == 404


async def test_the_secret_stands_nowhere_else(stack):
    accepted = await stack.accepted(ids(stack.strangers(1)))
    secret = accepted["outcomeUrl"].rpartition("/")[2]
    await stack.outcome(accepted)
    for path in (f"{SENDS}/{accepted['id']}", f"{SENDS}/{accepted['id']}/recipients", "/api/ops/sends"):
        assert secret not in (await stack.get(path)).text


# Status


async def test_a_status_tells_where_a_send_stands(stack):
    people = await slowly(stack, 6, 0.4)
    accepted = await stack.accepted(ids(people), options={"parallelism": 2})
    seen = []

    async def completed():
        status = await stack.status(accepted["id"])
        assert sums(status["counts"])
        assert status["counts"]["total"] == 6
        seen.append(status["status"])
        return status if status["status"] == "completed" else None

    status = await until(completed)

    assert set(seen) <= {"accepted", "delivering", "completed"}
    assert "delivering" in seen
    assert status["id"] == accepted["id"]
    assert status["counts"]["delivered"] == 6
    assert status["options"]["parallelism"] == 2
    created, ended = (datetime.fromisoformat(status[name]) for name in ("createdAt", "completedAt"))
    assert timedelta(seconds=1) < ended - created < timedelta(seconds=10)
    assert abs(datetime.now(UTC) - ended) < timedelta(seconds=20)


@pytest.mark.parametrize("send", ["a" * 26, "x", "'", "%00", "a/b", quote("ä"), "A" * 26, "x" * 2000])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_unknown_send_is_404(stack, method, send):
    (await stack.request(method, f"{SENDS}/{send}")).is_problem(404)


# Results


async def results_by_page(stack, send, query, top):
    found, continuation, pages = [], "", 0
    while True:
        more = f"&continuation={quote(continuation)}" if continuation else ""
        page = (await stack.get(f"{SENDS}/{send}/recipients?top={top}{query}{more}")).ok()
        assert len(page["results"]) <= top
        found += page["results"]
        pages += 1
        continuation = page.get("continuation")
        if not continuation:
            return found, pages


async def test_results_come_in_pages_and_by_state(stack):
    people = await stack.join(7)
    strangers = stack.strangers(4)
    sent = (await stack.deliver([*ids(people), *ids(strangers), "Nobody Like This"])).body["id"]

    found, pages = await results_by_page(stack, sent, "", 5)
    assert pages in (3, 4)
    assert sorted(result["recipient"] for result in found) == sorted(
        [*ids(people), *ids(strangers), "Nobody Like This"]
    )
    delivered, _ = await results_by_page(stack, sent, "&state=delivered", 2)
    assert sorted(result["recipient"] for result in delivered) == sorted(ids(people))
    others, _ = await results_by_page(stack, sent, "&state=notInstalled,failed", 3)
    assert {result["statusCode"] for result in others} == {100, 404}
    assert len(others) == 5
    none, _ = await results_by_page(stack, sent, "&state=cancelled", 3)
    assert none == []


async def test_results_of_a_large_send_come_in_pages(stack):
    names = [str(uuid.uuid4()) for _ in range(1200)]
    accepted = await stack.accepted(names)
    await stack.outcome(accepted)
    found, _ = await results_by_page(stack, accepted["id"], "", 500)
    assert sorted(result["recipient"] for result in found) == sorted(names)


async def test_results_of_a_send_that_is_under_way_are_there(stack):
    _people, accepted = await later(stack, 3)
    page = (await stack.get(f"{SENDS}/{accepted['id']}/recipients")).ok()
    assert {result["state"] for result in page["results"]} <= {"pending"}
    for result in page["results"]:
        assert result["statusCode"] is None
    await stack.request("DELETE", f"{SENDS}/{accepted['id']}")


@pytest.mark.parametrize(
    "query",
    ["top=0", "top=-1", "top=x", "top=100001", "top=1.5", "state=gone", "continuation=x", "continuation=W10",
     "continuation=e30", "tops=1", "continuation=WzEsIngiXQ", "continuation=%F0%9F%A5%A9", "top=%D9%A1"],
)  # fmt: skip
async def test_a_query_that_makes_no_sense_is_refused(stack, query):
    accepted = await stack.accepted(ids(stack.strangers(1)))
    (await stack.get(f"{SENDS}/{accepted['id']}/recipients?{query}")).is_problem(400)


async def test_results_can_be_had_as_a_table(stack):
    people = await stack.join(3)
    name = '=HYPERLINK("http://evil.example";"x")'
    outcome = (await stack.deliver([*ids(people), name, 'Comma, "quote"'])).body

    reply = await stack.get(f"{SENDS}/{outcome['id']}/recipients", headers={"Accept": "text/csv"})

    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert set(rows[0]) == set(outcome["results"][0])
    assert len(rows) == 5
    by_name = {row["recipient"]: row for row in rows}
    assert by_name['Comma, "quote"']["statusCode"] == "404"
    assert by_name[people[0].object_id]["state"] == "delivered"
    assert by_name[people[0].object_id]["statusCode"] == "200"
    assert not any(row["recipient"].startswith("=") for row in rows), "a spreadsheet would run it"
    some = await stack.get(f"{SENDS}/{outcome['id']}/recipients?state=failed", headers={"Accept": "text/csv"})
    assert len(list(csv.DictReader(io.StringIO(some.text)))) == 2


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv, */*;q=0.1", "text/csv"),
        ("TEXT/CSV", "text/csv"),
        ("application/json;q=0.1, text/csv", "text/csv"),
        ("application/json, text/csv;q=0.5", "application/json"),
        ("text/csv;q=0, */*", "application/json"),
        ("application/xml", "application/json"),
        ("*/*", "application/json"),
    ],
)
async def test_a_table_is_for_who_would_rather_have_one(stack, accept, kind):
    accepted = await stack.accepted(ids(stack.strangers(1)))
    reply = await stack.get(f"{SENDS}/{accepted['id']}/recipients", headers={"Accept": accept})
    assert reply.status == 200
    assert reply.headers["Content-Type"].partition(";")[0] == kind


# Cancelling


async def test_a_scheduled_send_can_be_cancelled_twice(stack):
    people, accepted = await later(stack, 3)
    path = f"{SENDS}/{accepted['id']}"

    for _ in range(2):
        reply = await stack.request("DELETE", path)
        assert (reply.status, reply.text) == (204, "")

    outcome = (await stack.outcome(accepted)).ok(200)
    assert outcome["outcome"] == "cancelled"
    assert outcome["succeeded"] is False
    assert outcome["counts"]["cancelled"] == outcome["counts"]["total"] == 3
    assert {(r["state"], r["statusCode"]) for r in outcome["results"]} == {("cancelled", 409)}
    assert (await stack.status(accepted["id"]))["status"] == "cancelled"
    assert (await stack.request("DELETE", path)).status == 204
    assert [stack.got(person) for person in people] == [[]] * 3


async def test_cancelling_one_scheduled_message_gives_its_code(stack):
    _, accepted = await later(stack, 1)
    await stack.request("DELETE", f"{SENDS}/{accepted['id']}")
    assert (await stack.outcome(accepted)).ok(200)["statusCode"] == 409


async def test_a_cancelled_send_is_not_sent_when_its_time_comes(stack):
    people, accepted = await later(stack, 2, seconds=2)
    await stack.request("DELETE", f"{SENDS}/{accepted['id']}")
    await asyncio.sleep(4)
    assert [stack.got(person) for person in people] == [[]] * 2


async def test_cancelling_a_send_under_way_stops_what_is_not_sent_yet(stack):
    people = await slowly(stack, 40, 0.3)
    accepted = await stack.accepted(ids(people), options={"parallelism": 2})

    async def begun():
        return sum(len(stack.got(person)) for person in people) >= 3

    await until(begun)
    assert (await stack.request("DELETE", f"{SENDS}/{accepted['id']}")).status == 204

    outcome = (await stack.outcome(accepted)).ok(200)
    counts = outcome["counts"]
    assert sums(counts)
    assert outcome["outcome"] == "cancelled"
    assert counts["delivered"] + counts["cancelled"] == 40
    assert 3 <= counts["delivered"] < 35
    await asyncio.sleep(1)
    got = {person.object_id for person in people if stack.got(person)}
    delivered = {result["userId"] for result in outcome["results"] if result["state"] == "delivered"}
    assert got == delivered
    assert outcome["statusCode"] == 207


async def test_cancelling_what_is_done_changes_nothing(stack):
    (ada,) = await stack.join(1)
    outcome = (await stack.deliver([ada.object_id])).ok(200)
    assert (await stack.request("DELETE", f"{SENDS}/{outcome['id']}")).status == 204
    assert (await stack.status(outcome["id"]))["status"] == "completed"
    results = await stack.results(outcome["id"])
    assert [result["state"] for result in results] == ["delivered"]


# Bots and people


async def test_the_bots_can_be_listed(stack):
    await stack.join(1)
    bots = (await stack.get("/api/v1/bots")).ok()
    (bot,) = bots["bots"] if isinstance(bots, dict) else bots
    assert bot["name"] == "default"
    assert "password" not in str(bots).lower()


async def test_a_person_is_shown_by_any_name(stack):
    (ada,) = await stack.join(1, named=True)
    for name in (ada.object_id, ada.mail, ada.upn, ada.name):
        user = await stack.user(quote(name))
        assert (user["installed"], user["chatActive"]) == (True, False)
        assert user["userId"] == ada.object_id
    await (await stack.crowd()).write(ada, "hi")
    user = await stack.user(ada.object_id)
    assert user["chatActive"] is True
    assert abs(datetime.fromisoformat(user["lastActivityAt"]) - datetime.now(UTC)) < timedelta(seconds=20)


async def test_a_person_whom_the_bot_never_met_does_not_have_it(stack):
    user = await stack.user(str(uuid.uuid4()))
    assert (user["installed"], user["chatActive"]) == (False, False)


async def test_people_of_an_unknown_bot_are_404(stack):
    (await stack.get("/api/v1/bots/nobody/users/x")).is_problem(404)
    (await stack.request("POST", "/api/ops/bots/nobody/users/x/idle")).is_problem(404)
    (await stack.request("POST", f"/api/ops/bots/default/users/{uuid.uuid4()}/idle")).is_problem(404)


@pytest.mark.parametrize("name", ["%00", "%0A", "x" * 3000, "a%2Fb", "'", "..", "%", "%FF", "%F0%9F%A5%A9", "|"])
async def test_a_strange_name_is_no_server_error(stack, name):
    assert (await stack.get(f"/api/v1/bots/default/users/{name}")).status < 500
    assert (await stack.request("POST", f"/api/ops/bots/default/users/{name}/idle")).status < 500


async def test_a_name_of_several_people_is_a_conflict(stack):
    name = f"Twin {uuid.uuid4().hex[:8]}"
    twins = [Person.named(name, object_id=str(uuid.uuid4()), mail=f"{uuid.uuid4().hex}@contoso.com") for _ in range(2)]
    crowd = await stack.crowd()
    await crowd.each(crowd.install, twins)
    await stack.learnt(*twins)
    (await stack.get(f"/api/v1/bots/default/users/{quote(name)}")).is_problem(409)


# Operators' lists


async def test_operators_see_the_sends_newest_first(stack):
    before = datetime.now(UTC)
    sent = [(await stack.deliver(ids(stack.strangers(1)))).body["id"] for _ in range(5)]
    path = f"/api/ops/sends?from={quote(before.isoformat())}"

    page = (await stack.get(path)).ok()

    assert [entry["id"] for entry in page["sends"]] == sent[::-1]
    assert all(sums(entry["counts"]) for entry in page["sends"])
    newest = (await stack.get("/api/ops/sends?top=2")).ok()
    assert [entry["id"] for entry in newest["sends"]] == [sent[4], sent[3]]
    following = (await stack.get(f"/api/ops/sends?top=2&continuation={quote(newest['continuation'])}")).ok()
    assert [entry["id"] for entry in following["sends"]] == [sent[2], sent[1]]


ORDER = card("order-confirmation")


@pytest.mark.parametrize(
    ("fields", "content", "about"),
    [
        ({"message": "Hello *you*"}, {"message": {"text": "Hello *you*", "format": "markdown"}}, "Hello *you*"),
        (
            {"message": {"text": "x" * 500, "format": "plain"}},
            {"message": {"text": "x" * 500, "format": "plain"}},
            "x" * 120,
        ),
        ({"card": ORDER}, {"card": ORDER}, "Order confirmation"),
        ({"card": ORDER, "summary": "Order 4711", "wait": {}}, {"card": ORDER, "summary": "Order 4711"}, "Order 4711"),
        (
            {"card": {"type": "AdaptiveCard", "version": "1.5", "body": []}},
            {"card": {"type": "AdaptiveCard", "version": "1.5", "body": []}},
            None,
        ),
    ],
)
async def test_operators_see_what_was_sent_and_know_it_again(stack, fields, content, about):
    send = await stack.accepted(ids(stack.strangers(1)), **fields)
    found = (await stack.get(f"/api/ops/sends/{send['id']}/content")).ok()
    assert found == {"summary": None, **content}
    (newest,) = (await stack.get("/api/ops/sends?top=1")).ok()["sends"]
    assert (newest["id"], newest["about"]) == (send["id"], about)
    assert "about" not in await stack.status(send["id"])


async def test_what_was_sent_is_for_operators_alone(stack):
    send = await stack.accepted(ids(stack.strangers(1)))
    (await stack.get(f"{SENDS}/{send['id']}/content")).is_problem(404)
    (await stack.get("/api/ops/sends/no-such-send/content")).is_problem(404)
    (await stack.get(f"/api/ops/sends/{send['id']}/content?x=1")).is_problem(400)


async def test_operators_choose_sends_by_time_and_status(stack):
    old = (await stack.deliver(ids(stack.strangers(1)))).body["id"]
    await asyncio.sleep(0.1)
    middle = datetime.now(UTC)
    _, scheduled = await later(stack)
    _, cancelled = await later(stack)
    await stack.request("DELETE", f"{SENDS}/{cancelled['id']}")
    await stack.outcome(cancelled)
    new = (await stack.deliver(ids(stack.strangers(1)))).body["id"]
    since, until_then = (f"{name}={quote(middle.isoformat())}" for name in ("from", "to"))

    async def listed(query):
        return [entry["id"] for entry in (await stack.get(f"/api/ops/sends?{query}")).ok()["sends"]]

    assert await listed(since) == [new, cancelled["id"], scheduled["id"]]
    assert await listed(f"{since}&status=scheduled") == [scheduled["id"]]
    assert await listed(f"{since}&status=cancelled,completed") == [new, cancelled["id"]]
    assert (await listed(f"{until_then}&top=1")) == [old]
    assert await listed("from=2020-01-01&to=2020-01-02") == []
    await stack.request("DELETE", f"{SENDS}/{scheduled['id']}")


@pytest.mark.parametrize(
    "query", ["from=x", "to=2026-13-01", "status=done", "top=0", "continuation=x", "form=2026-01-01", "top=1001x"]
)
async def test_a_list_query_that_makes_no_sense_is_refused(stack, query):
    (await stack.get(f"/api/ops/sends?{query}")).is_problem(400)


@pytest.mark.parametrize("query", ["from=0001-01-01", "to=9999-12-31", "from=9999-12-31", "to=0001-01-01",
                                   "from=0001-01-01T00:00:00%2B14:00", "to=9999-12-31T23:59:59-14:00"])  # fmt: skip
async def test_the_ends_of_time_are_no_server_error(stack, query):
    assert (await stack.get(f"/api/ops/sends?{query}")).status in (200, 400)


async def test_operators_have_all_that_senders_have(stack):
    (ada,) = await stack.join(1)
    outcome = (await stack.deliver([ada.object_id], door="ops")).ok(200)
    assert (await stack.get(f"/api/ops/sends/{outcome['id']}")).ok()["status"] == "completed"
    assert (await stack.get(f"/api/ops/sends/{outcome['id']}/recipients")).ok()["results"]
    assert (await stack.get("/api/ops/bots")).status == 200
    assert (await stack.get(f"/api/ops/bots/default/users/{ada.object_id}")).status == 200
    assert (await stack.request("DELETE", f"/api/ops/sends/{outcome['id']}")).status == 204


async def test_senders_do_not_have_what_operators_have(stack):
    assert (await stack.get("/api/v1/rejected")).status == 404
    assert (await stack.get("/api/v1/sends")).status == 405


# HTTP manners


async def test_health_is_open_and_says_that_storage_answers(stack):
    assert (await stack.get("/api/health")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/sends", {"POST"}),
        ("GET", "/api/v1/sends", {"POST"}),
        ("POST", f"/api/v1/sends/{'a' * 26}", {"GET", "DELETE"}),
        ("PATCH", f"/api/v1/sends/{'a' * 26}/recipients", {"GET"}),
        ("GET", "/api/v1/unsubscribe", {"POST"}),
        ("DELETE", "/api/v1/bots", {"GET"}),
        ("POST", "/api/v1/bots/default/users/x", {"GET"}),
        ("DELETE", "/api/ops/sends", {"GET", "POST"}),
        ("GET", "/api/ops/bots/default/users/x/idle", {"POST"}),
        ("POST", f"/api/outcomes/{'a' * 26}/x", {"GET"}),
        ("GET", "/api/messages", {"POST"}),
        ("POST", "/api/health", {"GET"}),
    ],
)
async def test_a_method_that_an_address_does_not_take_is_405(stack, method, path, allowed):
    reply = await stack.request(method, path)
    reply.is_problem(405)
    named = {name.strip() for name in reply.headers["Allow"].split(",")}
    assert named - {"HEAD", "OPTIONS"} == allowed


@pytest.mark.parametrize("path", ["/api/v1/", "/api/v1", "/api/v1/send", "/api/ops/x", "/api/v1/sends//x",
                                  "/api/v1/%00", "/api/v1/bots/default", "/api/v1/sends/..%2fx"])  # fmt: skip
async def test_an_unknown_address_is_404(stack, path):
    (await stack.get(path)).is_problem(404)


async def test_unsubscribing_wants_the_callback_url(stack):
    for body in ({}, [], {"callbackUrl": 5}, {"callbackURL": "x"}, "x", None):
        (await stack.request("POST", "/api/v1/unsubscribe", json_body=body)).is_problem(400)
    reply = await stack.request("POST", "/api/v1/unsubscribe", json_body={"callbackUrl": f"https://x/{uuid.uuid4()}"})
    assert reply.status in (204, 404)
