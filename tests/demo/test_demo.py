import asyncio
import os
import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from local.demo import Cast
from local.demo_sends import Outgoing, Sent, check
from local.demo_stage import LOG, DemoError

ROOT = Path(__file__).parents[2]


async def demo(*arguments: str, **settings: str) -> tuple[int, str]:
    """Run `python -m local demo` to its end; give exit code and output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local", "demo", *arguments),
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "120", **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()


def row(output: str, name: str) -> list[int]:
    """Return the figures of a row of the table."""
    line = next(line for line in output.splitlines() if line.startswith(f"│ {name}"))
    return [int(cell.replace(",", "")) for cell in re.findall(r"│ +([\d,]+) +(?=│)", line)]


async def test_the_demo_shows_the_main_job_and_ends_well():
    code, output = await demo("--people", "60")
    assert code == 0, output
    assert row(output, "200 delivered") == [51, 51, 51]
    assert row(output, "100 does not have the bot installed") == [6, 6, 6]
    assert row(output, "300 is in an active conversation with the bot") == [3, 3, 3]
    assert row(output, "people") == [60, 60, 60]
    assert "raised to 1,000 for the demo" in output
    assert 'Microsoft Graph was asked 2 times who is in the group "Everyone at Contoso".' in output
    assert 'Ada Allen presses "Edit Order"' in output
    assert 'that card says "Thanks for your response!"' in output
    assert 'submitActionId "Edit Order", responder ada.allen.0@contoso.com, webhook-id ' in output
    assert "Everybody has exactly what they must have." in output
    assert "ready http" in LOG.read_text(encoding="utf-8")


async def test_settings_for_development_do_not_change_the_demo():
    """GIVEN a bot of one's own WHEN the demo runs THEN it takes no notice: it asks for no token, and replies."""
    own = {
        "MicrosoftAppId": "0d6f3c52-77b1-4b0e-9d0a-2f1f6f6a4c33",
        "PROACTIVE_BOT_NAME": "orders",
        "PROACTIVE_REPLY_TEXT": "",
        "PROACTIVE_CALLBACK_SECRET": "",
        "PROACTIVE_REQUESTS_PER_SECOND": "1",
    }
    code, output = await demo("--people", "20", **own)
    assert code == 0, output


async def test_what_cannot_start_is_one_sentence():
    """GIVEN no Node.js WHEN the demo runs THEN it says what is missing, and no trace."""
    code, output = await demo("--people", "20", PATH="")
    assert code == 1
    assert "The demo failed: Azurite needs Node.js" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("number", ["0", "19", "10001", "many"])
async def test_a_number_of_people_that_makes_no_demo_is_refused(number):
    code, output = await demo("--people", number)
    assert code == 2
    assert f"{number} is not a number from 20 to 10000" in output


CAST = Cast.of(20)
WHAT = Outgoing("the message", {}, lambda activity: activity.get("text") == "hello")


class Chats:
    """What stands in the chats, in place of the stand-in."""

    def __init__(self) -> None:
        self.chats = defaultdict(list)
        for person, code in CAST.codes().items():
            if code == 200:
                self.chats[person].append({"text": "hello"})

    def delivered(self, person):
        return self.chats[person]


def sent(**counts: int) -> Sent:
    """Return what a send is that came out as it must, but for these counts."""
    due = {"total": 20, "delivered": 17, "notInstalled": 2, "chatActive": 1, "failed": 0}
    return Sent(WHAT, due | counts, {person.object_id: code for person, code in CAST.codes().items()}, 1.0)


def test_a_send_that_came_out_as_it_must_passes():
    check(Chats(), sent(), CAST.codes())


def test_counts_that_do_not_add_up_are_noticed():
    with pytest.raises(DemoError, match="the counts are"):
        check(Chats(), sent(delivered=16, failed=1), CAST.codes())


def test_a_wrong_status_code_is_noticed():
    result = sent()
    result.codes[CAST.gone[0].object_id] = 200
    with pytest.raises(DemoError, match=f"ended in 200 for {CAST.gone[0].mail}, where 100 was due"):
        check(Chats(), result, CAST.codes())


def test_a_person_without_a_result_is_noticed():
    result = sent()
    del result.codes[CAST.people[0].object_id]
    with pytest.raises(DemoError, match="ended in None"):
        check(Chats(), result, CAST.codes())


@pytest.mark.parametrize(
    ("person", "copies"),
    [(CAST.people[0], 0), (CAST.people[0], 2), (CAST.chatting[0], 1), (CAST.gone[0], 1)],
)
def test_a_copy_too_many_or_too_few_is_noticed(person, copies):
    chats = Chats()
    chats.chats[person] = [{"text": "a reply"}, *[{"text": "hello"}] * copies]
    with pytest.raises(DemoError, match=f"{person.mail} got {copies} copies"):
        check(chats, sent(), CAST.codes())
