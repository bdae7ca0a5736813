import asyncio

import aiohttp
import pytest

from local.teams import Fault, Person, TeamsStandIn, bad_weather
from tests.teams.botside import ADA, ALAN, Bot, text


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "BadArgument"),
        (403, "BotNotInConversationRoster"),
        (412, "PreconditionFailed"),
        (413, "MessageSizeTooBig"),
        (500, "ServiceError"),
        (502, "BadGateway"),
        (503, "ServiceUnavailable"),
        (504, "GatewayTimeout"),
        (418, "ServiceError"),
    ],
)
async def test_any_status_for_so_many_requests(bot, teams, status, code):
    number = teams.fault(Fault(status=status, times=2))
    said = [await bot.send(ADA) for _ in range(3)]
    assert [s.status for s in said] == [status, status, 201]
    assert said[0].code == code
    assert teams.hits(number) == 2
    assert len(teams.delivered(ADA)) == 1


async def test_429_with_retry_after_for_one_person_only(bot, teams):
    teams.fault(Fault(status=429, retry_after=7, person=ADA.mail))
    said = await bot.send(ADA)
    assert (said.status, said.code, said.headers["Retry-After"]) == (429, "Throttled", "7")
    assert (await bot.send(ALAN)).status == 201
    assert (await bot.create(ADA)).status == 429
    assert teams.stats().throttled == {"fault": 2}
    teams.clear_faults()
    assert (await bot.send(ADA)).status == 201


async def test_a_fault_for_a_conversation_an_operation_and_the_nth_request(bot, teams):
    teams.fault(Fault(status=503, conversation=ADA.conversation_id, operation="send", nth=2, times=1))
    assert (await bot.send(ALAN)).status == 201
    assert (await bot.call("GET", f"/{ADA.conversation_id}/members")).status == 200
    assert [(await bot.send(ADA)).status for _ in range(3)] == [201, 503, 201]


async def test_an_error_after_the_message_was_taken(bot, teams):
    teams.fault(Fault(status=502, accepted=True, times=1))
    assert (await bot.send(ADA)).status == 502
    assert len(teams.delivered(ADA)) == 1
    assert teams.stats().statuses == {502: 1}


async def test_an_update_that_was_taken_and_not_answered(bot, teams):
    sent = (await bot.send(ADA)).body["id"]
    teams.fault(Fault(status=504, accepted=True, operation="update"))
    said = await bot.call("PUT", f"/{ADA.conversation_id}/activities/{sent}", text("new"))
    assert (said.status, teams.delivered(ADA)[0]["text"]) == (504, "new")


@pytest.mark.parametrize(("accepted", "delivered"), [(False, 0), (True, 1)])
async def test_a_closed_connection_before_and_after_the_message_was_taken(bot, teams, accepted, delivered):
    teams.fault(Fault(cut="close", accepted=accepted, times=1))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await bot.send(ADA)
    assert len(teams.delivered(ADA)) == delivered
    assert teams.stats().statuses == {0: 1}
    assert (await bot.send(ADA)).status == 201


async def test_a_reset_connection(bot, teams):
    teams.fault(Fault(cut="reset", times=1))
    with pytest.raises(ConnectionResetError):
        await _raw_send(teams)
    assert teams.delivered(ADA) == []


async def _raw_send(teams):
    # A raw socket: aiohttp turns a reset into the same error as a plain close.
    reader, writer = await asyncio.open_connection("127.0.0.1", int(teams.url.rpartition(":")[2]))
    body = b'{"type": "message", "text": "x"}'
    path = f"/teams/v3/conversations/{ADA.conversation_id}/activities"
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_a_slow_answer_and_a_bot_that_does_not_wait(bot, teams):
    teams.fault(Fault(delay=5, accepted=True, times=1))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await bot.send(ADA)
    assert len(teams.delivered(ADA)) == 1
    teams.fault(Fault(delay=0.1, jitter=0.05, times=1))
    start = asyncio.get_running_loop().time()
    assert (await bot.send(ADA)).status == 201
    assert asyncio.get_running_loop().time() - start >= 0.1


async def test_any_body_and_any_shape(bot, teams):
    teams.fault(Fault(status=502, body="<html>Bad gateway</html>", times=1))
    teams.fault(Fault(status=403, code="MessageWritesBlocked", shape="legacy", times=1))
    teams.fault(Fault(status=500, shape="empty", times=1))
    said = [await bot.send(ADA) for _ in range(3)]
    assert said[0].body == b"<html>Bad gateway</html>"
    assert said[1].body["errorCode"] == 209
    assert (said[2].status, said[2].body) == (500, b"")


async def test_chance_is_repeatable(session):
    async def statuses(seed):
        async with TeamsStandIn(rate=None) as teams:
            people = [Person.named(f"Person {i}") for i in range(60)]
            teams.enrol(people, installed=True)
            teams.fault(Fault(status=503, probability=0.3, seed=seed))
            bot = Bot(session, teams.service_url)
            return [(await bot.send(p)).status for p in people]

    once, again, other = await statuses(1), await statuses(1), await statuses(2)
    assert once == again != other
    assert 5 < once.count(503) < 35


async def test_bad_weather_hits_about_the_share_asked_for(session):
    people = [Person.named(f"Person {i}") for i in range(400)]
    async with TeamsStandIn(people, rate=None) as teams:
        teams.enrol(people, installed=True)
        for fault in bad_weather(seed=3, share=0.2):
            if not fault.delay:
                teams.fault(fault)
        bot = Bot(session, teams.service_url)
        said = await asyncio.gather(*(bot.send(p) for p in people), return_exceptions=True)
        stats = teams.stats()
    good = sum(1 for s in said if not isinstance(s, BaseException) and s.status == 201)
    assert 0.08 < 1 - good / len(people) < 0.32
    assert {0, 201, 412, 429, 502, 503, 504} == stats.statuses.keys()
    assert stats.accepted > good


@pytest.mark.parametrize("wrong", [{}, {"times": 2}, {"status": 500, "cut": "reset"}])
def test_a_fault_that_does_nothing_or_two_things_is_refused(wrong):
    with pytest.raises(ValueError, match="fault"):
        Fault(**wrong)
