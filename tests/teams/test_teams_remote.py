import pytest

from local.teams import Crowd, Fault, Group, Person, people
from local.teams.remote import spawn
from tests.teams.botside import ADA, ALAN, Bot, text


async def test_a_stand_in_of_its_own_process_does_the_same(session, endpoint):
    async with spawn("--people", "5", "--rate", "500", "--burst", "50") as teams:
        bot = Bot(session, teams.service_url)
        first = Person.numbered(0)
        assert (await bot.send(first, text("hällo"))).status == 201
        assert (await teams.wait_delivered(first))[0]["text"] == "hällo"

        assert (await bot.send(ADA)).code == "ConversationNotFound"
        await teams.enrol([ADA, ALAN])
        assert (await bot.send(ADA)).code == "BotNotInConversationRoster"
        await teams.install(ADA)
        await teams.uninstall(ALAN.mail, "MessageWritesBlocked", "legacy")
        assert (await bot.send(ADA)).status == 201
        assert (await bot.send(ALAN)).body["errorCode"] == 209

        number = await teams.fault(Fault(status=503, times=2, person=ADA.object_id))
        assert [(await bot.send(ADA)).status for _ in range(3)] == [503, 503, 201]
        assert await teams.hits(number) == 2
        await teams.fault(Fault(status=500))
        await teams.clear_faults()

        new_id = await teams.renew_conversation(ADA)
        assert (await bot.create(ADA)).body["id"] == new_id == await teams.conversation_id(ADA)

        group = Group.of("Orders", "channel", ADA)
        await teams.enrol_group(group)
        assert (await bot.call("POST", f"/{group.id}/activities", text("x"))).status == 201
        assert len(await teams.in_chat(group.id)) == 1

        received = await teams.received(1)
        assert [r.activity["text"] for r in received] == ["hi", "hi", "x"]
        stats = await teams.stats()
        assert stats.statuses == {201: 5, 404: 1, 403: 2, 503: 2}
        assert stats.copies[2] == 1

        async with Crowd(teams, endpoint.url) as crowd:
            await crowd.install(people(6)[5])
            await crowd.write(ADA, "x")
        assert endpoint.heard[-1]["conversation"]["id"] == new_id

        for call in (teams.delivered("nobody"), teams.uninstall(ADA, "NoSuchCode"), teams.hits(99)):
            with pytest.raises(LookupError):
                await call
        await teams.clear()
        assert (await teams.stats()).requests == 0


async def test_latency_and_size_are_set_from_the_command_line(session):
    async with spawn("--people", "1", "--latency-ms", "50", "--max-bytes", "2000", "--no-bodies") as teams:
        bot = Bot(session, teams.service_url)
        assert (await bot.send(Person.numbered(0), text("x" * 1000))).status == 413
        assert (await bot.send(Person.numbered(0))).status == 201
        assert (await teams.received())[0].activity == {}
