"""What senders and operators do with sends, against a running service."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from local.teams import Fault
from proactive.body import SendBody
from proactive.cli.send import send
from tests.cli.conftest import on_a_terminal
from tests.stack import CARDS, card, until


async def test_a_message_reaches_people_who_are_named_in_every_way(stack, cli, tmp_path):
    ada, alan, grace, edsger = await stack.join(4)
    listed = tmp_path / "people.txt"
    listed.write_text(f"{grace.object_id}\n\n {edsger.object_id} \n")
    said = await cli("send", "Hello *you*", "--to", f"{ada.object_id}; {alan.object_id}",
                     "--recipients-file", str(listed), "--watch")  # fmt: skip
    assert "completed" in said.ok()
    assert "4 delivered" in said.out
    assert [stack.texts(person) for person in (ada, alan, grace, edsger)] == [["Hello *you*"]] * 4


async def test_text_card_and_people_may_come_from_standard_input(stack, cli):
    (ada,) = await stack.join(1)
    (await cli("send", "-", "--to", ada.object_id, "--watch", stdin="from a pipe")).ok()
    (await cli("send", "--card", "-", "--to", ada.object_id, "--watch", stdin=json.dumps(card("canteen-menu")))).ok()
    (await cli("send", "Hello", "--recipients-file", "-", "--watch", stdin=f"{ada.object_id}\n")).ok()
    first, second, third = stack.got(ada)
    assert (first["text"], third["text"]) == ("from a pipe", "Hello")
    assert second["attachments"][0]["content"] == card("canteen-menu")


async def test_what_is_accepted_prints_its_id_alone_so_that_scripts_can_take_it(stack, cli):
    (ada,) = await stack.join(1)
    said = await cli("send", "Hello", "--to", ada.object_id)
    assert re.fullmatch(r"[a-z2-7]{26}\n", said.ok())
    assert "proactive watch" in said.err
    followed = await cli("watch", said.out.strip(), "--json")
    followed.ok()
    assert followed.body["counts"]["delivered"] == 1


async def test_every_option_arrives_under_the_contracts_name(stack, cli):
    (ada,) = await stack.join(1)
    said = await cli(
        "send", "--card", str(CARDS / "leave-request.json"), "--summary", "Leave", "--to", ada.object_id,
        "--wait", "--timeout", "PT2H", "--complete-when", "all", "--update-message", "Noted",
        "--send-at", "2020-01-01T00:00:00Z", "--label-as-notification", "--if-chat-is-active", "postpone",
        "--if-bot-not-installed", "succeedWithStatusCode", "--if-outcome-unknown", "leave", "--parallelism", "3",
        "--deliver-within", "PT5M", "--idempotency-key", f"key-{ada.object_id}", "--json",
    )  # fmt: skip
    accepted = json.loads(said.ok())
    status = await stack.status(accepted["id"])
    assert status["options"] == {
        "labelAsNotification": True,
        "ifChatIsActive": "postpone",
        "ifBotNotInstalled": "succeedWithStatusCode",
        "ifOutcomeUnknown": "leave",
        "parallelism": 3,
        "deliverWithin": "PT5M",
    }
    assert status["waitUntil"]
    delivered = await cli("watch", accepted["id"], "--delivered", "--json")
    assert delivered.body["status"] == "waiting"
    assert (await cli("watch", accepted["id"], "--at-most", "0")).code == 5


def test_every_field_of_the_contract_has_an_option_with_the_same_choices():
    schema = SendBody.model_json_schema()
    fields = dict(schema["properties"])
    for part in ("_Options", "_Wait"):
        fields |= schema["$defs"][part]["properties"]
    taken = {option.removeprefix("--"): parameter for parameter in send.params for option in parameter.opts}
    missing = []
    for name, field in fields.items():
        option = taken.get(re.sub(r"(?=[A-Z])", "-", name).lower(), taken.get(name))
        if name == "options":
            continue
        if option is None:
            missing.append(name)
        elif "enum" in field:
            assert list(option.type.choices) == field["enum"], name
    assert missing == []


async def test_a_template_is_filled_with_data_from_a_file(stack, cli, tmp_path):
    (ada,) = await stack.join(1)
    data, broken = tmp_path / "data.json", tmp_path / "broken.json"
    data.write_text('{"order": 4711}')
    broken.write_text("{order: 4711}")

    sent = await cli("send", "Order ${order} is ready", "--data", str(data), "--to", ada.object_id, "--watch")
    refused = await cli("send", "Order ${order} is ready", "--data", str(broken), "--to", ada.object_id)

    assert sent.code == 0
    assert [activity["text"] for activity in stack.teams.delivered(ada)] == ["Order 4711 is ready"]
    assert refused.code == 2
    assert "--data is no JSON" in refused.err


async def test_a_send_that_fails_ends_with_one_as_a_flows_run_would(stack, cli):
    (ada,) = await stack.join(1)
    arguments = ("send", "Hello", "--to", f"{ada.object_id}; nobody@contoso.com", "--watch")
    failed = await cli(*arguments)
    assert (failed.code, stack.texts(ada)) == (1, ["Hello"])
    assert "1 not installed" in failed.out
    (await cli(*arguments, "--if-bot-not-installed", "succeedWithStatusCode")).ok()


async def test_what_a_send_would_do_is_told_and_nothing_is_sent(stack, cli):
    (ada,) = await stack.join(1)
    said = await cli("send", "Hello", "--to", f"{ada.object_id};nobody@contoso.com", "--dry-run")
    assert "1 wouldSend, 1 not installed" in said.ok()
    assert "nobody@contoso.com" in said.out
    assert stack.got(ada) == []


async def test_results_come_as_a_table_as_csv_and_as_json_filtered_and_in_pages(stack, cli):
    people = await stack.join(3)
    accepted = await stack.accepted([*(person.object_id for person in people), "=nobody@contoso.com"])
    await cli("watch", accepted["id"])

    table = await cli("results", accepted["id"])
    assert all(person.object_id in table.ok() for person in people)
    assert "\x1b" not in table.out
    page = await cli("results", accepted["id"], "--top", "2")
    assert sum(person.object_id in page.ok() for person in people) == 2
    rest = await cli("results", accepted["id"], "--continuation", re.search(r"--continuation (\S+),", page.err)[1])
    assert people[2].object_id in rest.ok()
    assert people[0].object_id not in rest.out

    rows = list(csv.DictReader(io.StringIO((await cli("results", accepted["id"], "--csv")).ok())))
    assert [row["state"] for row in rows] == ["delivered"] * 3 + ["notInstalled"]
    assert rows[3]["recipient"] == "'=nobody@contoso.com"
    assert len((await cli("results", accepted["id"], "--csv", "--top", "1")).ok().splitlines()) == 2

    filtered = await cli("results", accepted["id"], "--state", "notInstalled", "--state", "failed", "--json")
    assert [row["recipient"] for row in filtered.body["results"]] == ["=nobody@contoso.com"]


async def test_more_results_than_a_page_holds_come_all(stack, cli):
    names = [f"n{number}@contoso.com" for number in range(1234)]
    accepted = await stack.accepted(names, options={"ifBotNotInstalled": "succeedWithStatusCode"})
    (await cli("watch", accepted["id"])).ok()
    found = await cli("results", accepted["id"], "--json")
    assert [row["recipient"] for row in found.body["results"]] == names


async def test_what_others_wrote_cannot_drive_the_terminal(stack, cli):
    accepted = await stack.accepted(["\x1b]0;owned\x07\x1b[2J\u202ename"])
    await cli("watch", accepted["id"])
    said = await cli("results", accepted["id"])
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", said.ok())
    assert "owned" in said.out


async def test_failed_ones_are_retried_and_delivered_ones_updated_and_recalled(stack, cli):
    ada, alan = await stack.join(2)
    stack.teams.fault(Fault(status=400, person=alan.object_id, operation="send", times=1))
    sent = await cli("send", "Noon", "--to", f"{ada.object_id};{alan.object_id}")
    send_id = sent.ok().strip()
    assert (await cli("watch", send_id)).code == 1

    (await cli("retry", send_id, "--watch")).ok()
    assert stack.texts(alan) == ["Noon"]
    (await cli("update", send_id, "Eleven", "--watch")).ok()
    unasked = await cli("recall", send_id)
    assert (unasked.code, "--yes" in unasked.err) == (2, True)
    (await cli("recall", send_id, "--yes", "--watch")).ok()
    assert (await stack.status(send_id))["counts"]["delivered"] == 1


async def test_a_send_can_be_cancelled(stack, cli):
    (ada,) = await stack.join(1)
    in_an_hour = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    sent = await cli("send", "Tomorrow", "--to", ada.object_id, "--send-at", in_an_hour)
    send_id = sent.ok().strip()
    assert "scheduled" in (await cli("status", send_id)).ok()
    assert (await cli("watch", send_id, "--at-most", "0.1")).code == 5
    (await cli("cancel", send_id)).ok()
    ended = await cli("watch", send_id, "--json")
    assert ended.body["status"] == "cancelled"
    assert stack.got(ada) == []


async def test_a_bot_is_held_and_goes_on(stack, cli):
    (ada,) = await stack.join(1)
    assert "is held" in (await cli("pause", "--bot", "default")).ok()
    try:
        listed = await cli("bots", "--json")
        assert listed.body["bots"][0]["paused"]
        sent = (await cli("send", "Later", "--to", ada.object_id)).ok().strip()
        assert (await cli("watch", sent, "--at-most", "1")).code == 5
    finally:
        assert "goes on" in (await cli("resume")).ok()
    (await cli("watch", sent, "--at-most", "60")).ok()
    assert "default" in (await cli("bots")).ok()


async def test_a_person_is_looked_at_exported_and_erased(stack, cli):
    (ada,) = await stack.join(1, named=True)
    crowd = await stack.crowd()
    await crowd.write(ada, "hello")
    assert re.search(r"chatActive +yes", (await cli("user", "show", ada.mail)).ok())
    (await cli("user", "idle", ada.mail)).ok()
    assert re.search(r"chatActive +no", (await cli("user", "show", ada.mail)).ok())
    await stack.deliver([ada.object_id])
    kept = await cli("user", "data", ada.mail)
    assert kept.body["userId"] == ada.object_id
    assert len(kept.body["messages"]) == 1
    assert (await cli("user", "erase", ada.mail)).code == 2
    (await cli("user", "erase", ada.mail, "--yes")).ok()

    async def forgotten():
        return not (await stack.user(ada.object_id))["installed"]

    await until(forgotten)


@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
async def test_a_terminal_shows_progress_and_colours_unless_they_are_not_wanted(stack, env, coloured):
    people = await stack.join(30)
    arguments = ["send", "Hello", "--to", ";".join(person.object_id for person in people), "--parallelism", "1"]
    said = await on_a_terminal(*arguments, "--watch", env={"PROACTIVE_URL": stack.url, **env})
    assert "30 of 30" in said.ok()
    assert "━" in said.out
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]|\x1b\[38;", said.out)) == coloured
