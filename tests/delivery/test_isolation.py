"""Several bots and tenants in one deployment: what is one's is never used for the other.

Two sides share all that could be mistaken: object ids, Teams ids, mail addresses and names of their people. They differ
in the bot, in the tenant, or in both, so that a key without the bot fails as well as one without the tenant. Each side
has a Teams of its own, which lets in its own bot's token alone.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from local.teams import Fault, Person, TeamsStandIn
from local.teams.activities import envelope, execution
from local.teams.people import people as crowd_of
from local.teams.tokens import TokenIssuer
from proactive import bot as speaking
from proactive import transcript
from proactive.accept import accept
from proactive.auth import Authenticator
from proactive.clouds import PUBLIC, Cloud
from proactive.doors import messages, v1
from proactive.erase import erase, names_of
from proactive.model import Result, Send
from proactive.pause import pause, paused_in
from proactive.problems import ProblemError
from proactive.service import Service
from proactive.settings import Bot
from proactive.signin import BotCredentials, Http
from proactive.store.account import QUEUES
from proactive.store.conversations import Conversation
from proactive.store.persons import Subject
from tests.delivery.conftest import Clock, House

CARD = {"type": "AdaptiveCard", "version": "1.4", "actions": [{"type": "Action.Execute", "title": "Yes", "data": {}}]}
ONE_TENANT, OTHER_TENANT = "11111111-aaaa-4aaa-8aaa-111111111111", "22222222-bbbb-4bbb-8bbb-222222222222"


@dataclass
class Side:
    """One bot in one tenant, with the people who are there and the Teams that serves them."""

    house: House
    bot: Bot
    tenant: str
    teams: TeamsStandIn
    people: list[Person]

    @property
    def where(self) -> tuple[str, str]:
        """The bot's name and the tenant, as stores take them."""
        return self.bot.name, self.tenant

    async def hear(self, person: Person, kind: str, ago: float = 0, **fields: Any) -> Any:
        """Let the bot hear of an activity, and return its answer."""
        activity = self.activity(person, kind, ago, **fields)
        return await speaking.take(self.house.service, self.bot, activity)

    def activity(self, person: Person, kind: str, ago: float = 0, **fields: Any) -> dict[str, Any]:
        at = datetime.fromtimestamp(self.house.clock(), UTC) - timedelta(seconds=ago)
        url, chat = self.teams.service_url, person.conversation_id
        return envelope(person, kind, at, service_url=url, conversation_id=chat, bot_name=self.bot.name) | fields

    async def install(self, *people: Person) -> None:
        """Let people install the bot, and let it learn their names."""
        for person in people:
            self.teams.install(person)
            await self.hear(person, "installationUpdate", ago=60, action="add")
        await self.house.drain()

    async def send(self, *whom: str, **body: Any) -> list[Result]:
        """Send to people by any of their names and return their results, in the order of a send's recipients."""
        sent = await self.accept(*whom, **body)
        await self.house.drain()
        return await self.results(sent)

    async def accept(self, *whom: str, **body: Any) -> Send:
        content = {} if "card" in body else {"message": "hello"}
        sender = {"bot": self.bot.name, "tenant": self.tenant}
        return await accept(self.house.service, {**sender, "recipients": list(whom), **content, **body})

    async def results(self, send: Send) -> list[Result]:
        now = await self.house.kept(send)
        chunks = [chunk async for chunk in self.house.service.chunks.read(now.id, now.plan)]
        return [chunk.result(n) for chunk in chunks for n in range(len(chunk.people))]

    async def codes(self, *whom: str, **body: Any) -> list[int | None]:
        return [result.code for result in await self.send(*whom, **body)]

    async def knows(self, person: Person) -> Conversation | None:
        return await self.house.service.conversations.get(*self.where, person.object_id)

    async def told(self, person: Person) -> list[str]:
        """Return the sends that the transcript of a person has."""
        subject = transcript.subject_of(person.object_id, await self.knows(person))
        until = self.house.clock()
        page = await transcript.messages(self.house.service, *self.where, subject, top=100, until=until)
        return [message["sendId"] for message in page.messages]


LAYOUTS = {
    "two bots in two tenants": (("one", ONE_TENANT), ("two", OTHER_TENANT)),
    "one bot in two tenants": (("one", ONE_TENANT), ("one", OTHER_TENANT)),
    "two bots in one tenant": (("one", ONE_TENANT), ("two", ONE_TENANT)),
}


async def _forget_queued(house: House) -> None:
    for queue in QUEUES:
        await house.service.account._queues.get_queue_client(queue).clear_messages()


@pytest.fixture(params=LAYOUTS)
async def sides(
    request: pytest.FixtureRequest, storage: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Side, Side]]:
    def sign_in(_cloud: Cloud, credentials: BotCredentials, _http: Http) -> tuple[str, int]:
        return f"token of {credentials.app_id}", 3600

    monkeypatch.setattr("proactive.tokens.sign_in_as_bot", sign_in)
    async with AsyncExitStack() as stack:
        house = House(storage, await stack.enter_async_context(TeamsStandIn()), clock)
        prefix = house.bot
        bots = {
            name: Bot(f"{prefix}-{name}", f"app-{name}-{prefix}", "MultiTenant", password=f"secret of {name}")
            for name in ("one", "two")
        }
        house.settings = replace(house.settings, bots=tuple(bots.values()), reply_text="")
        house.service = house.instance()
        for instance in house.instances:
            stack.push_async_callback(instance.close)
        await house.service.account.ensure()
        await _forget_queued(house)
        made = []
        for name, tenant in LAYOUTS[request.param]:
            people = [
                # A chat is of one bot and one person; everything else is the same on both sides.
                replace(person, tenant_id=tenant, app_id=bots[name].app_id, conversation_id=f"a:{name}-{tenant}-{n}")
                for n, person in enumerate(crowd_of(4))
            ]
            teams = TeamsStandIn(people, rate=None, require_token={f"token of {bots[name].app_id}"})
            made.append(Side(house, bots[name], tenant, await stack.enter_async_context(teams), people))
        one, two = made
        yield one, two
        await house.drain()
        for side in made:
            assert side.teams.tokens_seen <= {f"Bearer token of {side.bot.app_id}"}, "another bot's token came"
            assert 401 not in side.teams.stats().statuses


# --- references, tokens, results


async def test_a_message_goes_to_the_sides_own_chat_with_its_own_token(sides: tuple[Side, Side]) -> None:
    one, two = sides
    ada = one.people[0]
    await one.install(ada)
    await two.install(two.people[0])

    (result,) = await one.send(ada.object_id, message="of one")

    assert [a["text"] for a in one.teams.delivered(ada)] == ["of one"]
    assert not two.teams.received
    assert (result.conversation_id, result.message_id) == (ada.conversation_id, one.teams.received[0].activity_id)
    assert one.teams.tokens_seen == {f"Bearer token of {one.bot.app_id}"}
    (result,) = await two.send(ada.object_id, message="of two")
    assert [a["text"] for a in two.teams.delivered(two.people[0])] == ["of two"]
    assert result.conversation_id == two.people[0].conversation_id
    assert len(one.teams.received) == 1


@pytest.mark.parametrize("by", ["object_id", "teams_id", "mail", "upn", "name"])
async def test_whom_only_one_side_knows_the_other_cannot_reach_by_any_name(sides: tuple[Side, Side], by: str) -> None:
    one, two = sides
    ada, alan = one.people[:2]
    await one.install(ada)
    await two.install(two.people[1])  # so that the other side is in use too

    name = getattr(ada, by)
    assert await two.codes(name) == [404 if by == "name" else 100]
    assert not two.teams.received
    assert not one.teams.received
    if by != "teams_id":  # not an address where the object id is known
        assert await one.codes(name) == [200]
    assert await one.codes(getattr(alan, by)) == [404 if by == "name" else 100]


async def test_names_that_one_side_learnt_lead_nowhere_on_the_other(sides: tuple[Side, Side]) -> None:
    one, two = sides
    ada, other_ada = one.people[0], two.people[0]
    renamed = replace(ada, name="Ada King", mail="ada.king@contoso.com", upn="king@contoso.com")
    one.teams.install(ada)
    one.teams.rename(renamed)
    await one.hear(ada, "installationUpdate", action="add")
    await two.install(other_ada)

    assert await one.codes(renamed.mail, renamed.upn, "Ada King") == [200]
    assert await one.codes(ada.mail) == [100]
    assert await two.codes(renamed.mail, "Ada King") == [100, 404]
    assert await two.codes(ada.mail) == [200]


async def test_everyone_is_everyone_of_one_side(sides: tuple[Side, Side]) -> None:
    one, two = sides
    await one.install(*one.people[:3])
    await two.install(two.people[3])

    everyone = {"recipients": [{"everyone": True}], "message": "all", "bot": one.bot.name, "tenant": one.tenant}
    sent = await accept(one.house.service, everyone, operator=True)
    await one.house.drain()

    assert [result.code for result in await one.results(sent)] == [200] * 3
    assert not two.teams.received


async def test_a_lost_conversation_is_created_again_where_it_was(sides: tuple[Side, Side]) -> None:
    one, two = sides
    ada, other_ada = one.people[0], two.people[0]
    await one.install(ada)
    await two.install(other_ada)
    new = one.teams.renew_conversation(ada)

    (result,) = await one.send(ada.object_id)

    assert (result.code, result.conversation_id) == (200, new)
    known, other = await one.knows(ada), await two.knows(other_ada)
    assert known is not None
    assert other is not None
    assert (known.conversation_id, known.service_url) == (new, one.teams.service_url)
    assert (other.conversation_id, other.service_url) == (other_ada.conversation_id, two.teams.service_url)
    assert await two.codes(ada.object_id) == [200]
    assert "create" not in two.teams.stats().operations


async def test_where_one_is_served_the_other_is_not_looked_for(sides: tuple[Side, Side]) -> None:
    one, two = sides
    await one.install(one.people[0])
    await two.install(two.people[0])
    assert await one.codes(one.people[0].object_id) == [200]
    asked = one.teams.stats().requests

    two.teams.fault(Fault(status=403, code="InvalidBotApiHost", operation="send", times=1))
    assert await two.codes(two.people[0].object_id) == [502]
    assert one.teams.stats().requests == asked
    assert await two.codes(two.people[0].object_id) == [200]


# --- installs, refusals, activity


async def test_who_removes_one_bot_keeps_the_other(sides: tuple[Side, Side]) -> None:
    one, two = sides
    ada, other_ada = one.people[0], two.people[0]
    await one.install(ada)
    await two.install(other_ada)
    one.teams.uninstall(ada)
    await one.hear(ada, "installationUpdate", action="remove")

    assert await one.codes(ada.object_id) == [100]
    assert await two.codes(ada.object_id) == [200]
    assert "send" not in one.teams.stats().operations, "nobody asked Teams for somebody who is known to be gone"


async def test_a_refusal_of_one_is_none_of_the_other(sides: tuple[Side, Side]) -> None:
    one, two = sides
    ada, other_ada = one.people[0], two.people[0]
    await one.install(ada)
    await two.install(other_ada)
    one.teams.uninstall(ada, "ConversationBlockedByUser")

    assert [(r.code, r.reason) for r in await one.send(ada.object_id)] == [(100, "blocked")]
    known, other = await one.knows(ada), await two.knows(other_ada)
    assert (known and known.refusal, other and other.refusal) == ("blocked", "")
    assert await two.codes(ada.object_id) == [200]


async def test_a_chat_with_one_bot_is_no_chat_with_the_other(sides: tuple[Side, Side]) -> None:
    one, two = sides
    ada, other_ada = one.people[0], two.people[0]
    await one.install(ada)
    await two.install(other_ada)
    await one.hear(ada, "message", text="are you there?")

    active = {"options": {"ifChatIsActive": "dontSendAndFail"}}
    assert await one.codes(ada.object_id, **active) == [300]
    assert await two.codes(ada.object_id, **active) == [200]


async def test_what_waits_for_the_end_of_one_chat_is_not_let_go_by_the_end_of_another(sides: tuple[Side, Side]) -> None:
    one, two = sides
    ada, other_ada = one.people[0], two.people[0]
    sends = []
    for side, person in ((one, ada), (two, other_ada)):
        await side.install(person)
        await side.hear(person, "message", text="are you there?")
        sends.append(await side.accept(person.object_id, options={"ifChatIsActive": "postpone"}))
    await one.house.drain()

    async def states() -> list[str]:
        await one.house.drain()
        return [(await side.results(send))[0].state.value for side, send in zip(sides, sends, strict=True)]

    assert await states() == ["postponed", "postponed"]
    await two.hear(other_ada, "endOfConversation")
    assert await states() == ["postponed", "delivered"]
    await one.hear(ada, "endOfConversation")
    assert await states() == ["delivered", "delivered"]


# --- answers, transcript, erasure


async def test_only_the_bot_that_asked_takes_the_answer(sides: tuple[Side, Side]) -> None:
    one, two = sides
    ada, other_ada = one.people[0], two.people[0]
    await one.install(ada)
    await two.install(other_ada)
    asked = await one.accept(ada.object_id, card=CARD, wait={})
    await one.house.drain()
    (message,) = one.teams.delivered(ada)
    pressed = execution(message["attachments"][0]["content"]["actions"][0], {})
    fields = {"name": "adaptiveCard/action", "replyToId": message["id"], "value": pressed}

    _, elsewhere = await two.hear(other_ada, "invoke", **fields)
    assert elsewhere["type"] == "application/vnd.microsoft.activity.message"
    assert (await one.house.kept(asked)).ended_at is None

    _, here = await one.hear(ada, "invoke", **fields)
    assert here["type"] == "application/vnd.microsoft.card.adaptive"
    await one.house.drain()
    assert (await one.house.kept(asked)).ended_at is not None
    assert not two.teams.received


async def test_a_transcript_has_what_one_bot_sent_in_one_tenant(sides: tuple[Side, Side]) -> None:
    one, _ = sides
    ada = one.people[0]
    sends = []
    for side in sides:
        await side.install(side.people[0])
        sends.append((await side.accept(ada.object_id)).id)
    await one.house.drain()

    assert [await side.told(side.people[0]) for side in sides] == [[sends[0]], [sends[1]]]


async def test_whom_one_side_erases_the_other_still_knows(sides: tuple[Side, Side]) -> None:
    one, two = sides
    ada, other_ada = one.people[0], two.people[0]
    sends = []
    for side in sides:
        await side.install(side.people[0])
        sends.append(await side.accept(ada.object_id))
    await one.house.drain()
    before, names = await two.knows(other_ada), names_of(await one.knows(ada))

    assert await erase(one.house.service, *one.where, ada.object_id, names)

    assert await one.knows(ada) is None
    assert await one.told(ada) == []
    assert (await one.results(sends[0]))[0].conversation_id == ""
    assert await two.knows(other_ada) == before
    assert await two.told(other_ada) == [sends[1].id]
    assert (await two.results(sends[1]))[0].conversation_id == other_ada.conversation_id
    assert await two.codes(ada.mail) == [200], "the names lead to the person as before"
    # And by a name alone, as for somebody whom a bot never met.
    await two.accept("stranger@contoso.com")
    await erase(one.house.service, *one.where, "", ["stranger@contoso.com"])
    subject = Subject("", transcript.subject_of("", None, "stranger@contoso.com").aliases)
    page = await transcript.messages(two.house.service, *two.where, subject, top=9, until=two.house.clock())
    assert len(page.messages) == 1


# --- pace


async def test_a_429_of_one_leaves_the_other_alone(sides: tuple[Side, Side]) -> None:
    one, two = sides
    await one.install(*one.people)
    await two.install(*two.people)
    ids = [person.object_id for person in one.people]
    one.teams.fault(Fault(status=429, retry_after=120, operation="send", times=4))

    # GIVEN a send whose first messages hear that the bot is too fast
    held = await one.accept(*ids)
    await one.house.drain()
    # THEN the other's goes out at once, and the next of the same bot there waits
    assert await two.codes(*ids) == [200] * 4
    waits = await one.send(ids[0])
    assert waits[0].code is None
    assert not one.teams.received
    # AND all is delivered when the time is over
    await one.house.advance(180)
    assert [result.code for result in await one.results(held)] == [200] * 4


async def test_a_bot_that_is_held_holds_no_other(sides: tuple[Side, Side]) -> None:
    one, two = sides
    await one.install(one.people[0])
    await two.install(two.people[0])
    await pause(one.house.service, *one.where)

    assert await two.codes(two.people[0].object_id) == [200]
    assert (await one.send(one.people[0].object_id))[0].code is None
    assert await paused_in(two.house.service, two.bot.name, {two.tenant}) == []


# --- what Teams posts


@pytest.fixture(scope="module")
def issuer() -> TokenIssuer:
    return TokenIssuer()


def believing(service: Service, issuer: TokenIssuer) -> None:
    """Let the service take tokens of a stand-in for the Bot Framework."""

    async def fetch(url: str) -> dict[str, Any]:
        return issuer.jwks() if url.endswith("/keys") else issuer.metadata("https://login.example/keys")

    settings = service.settings
    apps, hosts = [bot.app_id for bot in settings.bots], settings.service_hosts
    service.authenticator = Authenticator(apps, hosts, allow_loopback=True, cloud=PUBLIC, fetch=fetch)


async def post(side: Side, issuer: TokenIssuer, audience: str, activity: dict[str, Any]) -> int:
    """Post an activity at the bots' endpoint, with a token for an audience; return the status."""
    token = issuer.issue(audience, activity["serviceUrl"])
    request = SimpleNamespace(
        method="POST",
        headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
        get_body=lambda: json.dumps(activity).encode(),
    )
    response = await messages.door(side.house.service, cast("Any", request))
    return int(response.status_code)


async def test_an_activity_is_for_the_bot_of_its_tokens_audience_whatever_it_says(
    sides: tuple[Side, Side], issuer: TokenIssuer
) -> None:
    one, two = sides
    believing(one.house.service, issuer)
    ada, other_ada = one.people[0], two.people[0]
    # GIVEN an activity of the second side, WHEN it comes with a token for another bot
    activity = two.activity(other_ada, "message", text="hello")
    bots = one.house.settings.bots
    wrong = next(bot for bot in bots if bot != two.bot)
    assert activity["recipient"]["id"] == f"28:{two.bot.app_id}"
    assert await post(two, issuer, wrong.app_id, activity) == 200
    # THEN it is the other bot's, in the tenant that it names, and nothing of the second bot's
    assert await two.knows(other_ada) is None
    known = await two.house.service.conversations.get(wrong.name, two.tenant, ada.object_id)
    assert known is not None
    # AND with the right one it is the second side's, and with a token for no bot of ours nobody's
    assert await post(two, issuer, two.bot.app_id, activity) == 200
    assert await two.knows(other_ada) is not None
    assert await post(two, issuer, "app-of-nobody", activity) == 401
    # (That bot now wants to ask for the person's names where the activity says, and its own token may go there.)
    await _forget_queued(one.house)


async def test_two_activities_at_once_do_not_mix_their_bots(sides: tuple[Side, Side], issuer: TokenIssuer) -> None:
    one, _ = sides
    believing(one.house.service, issuer)
    posts = [
        post(side, issuer, side.bot.app_id, side.activity(side.people[n], "installationUpdate", action="add"))
        for n in range(4)
        for side in sides
    ]
    assert await asyncio.gather(*posts) == [200] * 8
    for side in sides:
        for person in side.people:
            known = await side.knows(person)
            assert known is not None
            assert (known.conversation_id, known.service_url) == (person.conversation_id, side.teams.service_url)
            assert known.bot_id == f"28:{side.bot.app_id}"


# --- who speaks, and where


async def refusal(side: Side, **sender: str) -> dict[str, str]:
    with pytest.raises(ProblemError) as caught:
        await accept(side.house.service, {"recipients": ["ada@contoso.com"], "message": "hello", **sender})
    assert caught.value.status == 400
    return {error.pointer: error.detail for error in caught.value.errors}


async def test_a_send_names_its_bot_and_its_tenant_where_there_are_several(sides: tuple[Side, Side]) -> None:
    one, two = sides
    for side in sides:
        await side.install(side.people[0])
    names = [bot.name for bot in one.house.settings.bots]

    missing = await refusal(one)
    assert list(missing) == ["/bot"]
    assert all(name in missing["/bot"] for name in names)
    unknown = await refusal(one, bot="sales")
    assert list(unknown) == ["/bot"]
    assert all(name in unknown["/bot"] for name in names)

    foreign = await refusal(one, bot=one.bot.name, tenant="33333333-cccc-4ccc-8ccc-333333333333")
    assert list(foreign) == ["/tenant"]
    assert one.tenant in foreign["/tenant"]
    assert (two.tenant in foreign["/tenant"]) == (two.bot == one.bot or two.tenant == one.tenant)
    if one.bot == two.bot:
        several = await refusal(one, bot=one.bot.name)
        assert list(several) == ["/tenant"]
        assert one.tenant in several["/tenant"]
        assert two.tenant in several["/tenant"]
    else:
        sent = await accept(one.house.service, {"bot": two.bot.name, "recipients": ["x@y.z"], "message": "hello"})
        assert (sent.bot, sent.tenant) == two.where


async def test_the_picker_lists_each_bot_with_its_own_tenants(sides: tuple[Side, Side]) -> None:
    one, _ = sides
    for side in sides:
        await side.install(side.people[0])
    request = SimpleNamespace(method="GET", params={}, route_params={"path": "bots"}, headers={})
    response = await v1.door(one.house.service, cast("Any", request))

    used: dict[str, set[str]] = {bot.name: set() for bot in one.house.settings.bots}
    for side in sides:
        used[side.bot.name].add(side.tenant)
    listed = json.loads(response.get_body())["bots"]
    assert {bot["name"]: set(bot["tenants"]) for bot in listed} == used
    assert {bot["name"]: bot["appId"] for bot in listed} == {b.name: b.app_id for b in one.house.settings.bots}
