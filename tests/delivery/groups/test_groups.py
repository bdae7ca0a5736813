"""Groups, teams and names that only the directory knows: from the request through Microsoft Graph to the messages."""

import time

from local.graph import GraphStandIn, Organisation, Sample
from local.teams import Person, TeamsStandIn
from local.teams.people import CONTOSO
from local.teams.people import people as crowd_of
from proactive import plan
from proactive.erase import erase
from proactive.settings import GraphAccess
from tests.delivery.conftest import Clock, House
from tests.delivery.groups.directory import NOBODY, PAT, codes, crowd, ids, learn, opened, planned, send_to, users

# --- Who is in a group


async def test_a_group_of_ten_thousand_is_planned_in_few_calls_and_nobody_is_there_twice(
    storage: str, teams: TeamsStandIn, clock: Clock
) -> None:
    many = crowd_of(10_000)
    made = Organisation(CONTOSO)
    made.enrol(many)
    inner = made.group("Inner", *many[:4_000])
    middle = made.group("Middle", inner, *many[3_000:7_000])
    outer = made.group("Outer", middle, *many[6_500:], inner)
    async with (
        GraphStandIn(made, repeats=True) as graph,
        opened(storage, teams, clock, GraphAccess(graph.url)) as house,
    ):
        send = await send_to(house, {"group": outer.id}, many[3].object_id)
        assert graph.stats.requests == 0

        start = time.perf_counter()
        await plan.plan(house.service, send.id)

        assert time.perf_counter() - start < 30
        assert graph.stats.requests < 40
        assert await users(house, send) == ids(many)


async def test_the_people_of_groups_get_one_message_each_whatever_else_names_them(
    house: House, teams: TeamsStandIn, contoso: Sample
) -> None:
    await house.knows(crowd(contoso))
    one = contoso.people[0]

    send = await send_to(
        house,
        {"group": contoso.everyone.id},
        {"team": "orders@contoso.com"},
        {"group": "West"},
        {"group": "west"},
        one.mail,
        {"user": one.object_id},
        {"everyone": True},
        operator=True,
    )
    await house.drain()

    assert await users(house, send) == ids([*crowd(contoso), PAT])
    assert {len(teams.delivered(person)) for person in (*crowd(contoso), PAT)} == {1}
    assert (await house.kept(send)).completed_at


async def test_a_member_is_named_by_principal_name_else_mail_else_id(house: House, contoso: Sample) -> None:
    bare = [
        Person.named("With mail", mail="with@contoso.com", upn=""),
        Person.named("With nothing", mail="", upn=""),
    ]
    contoso.organisation.enrol(bare)
    group = contoso.organisation.group("Bare", contoso.people[0], *bare)
    send = await send_to(house, {"group": group.id})
    await plan.plan(house.service, send.id)

    names = {recipient.name for recipient, _ in await planned(house, send)}

    assert names == {contoso.people[0].upn, "with@contoso.com", bare[1].object_id}


async def test_who_may_not_sign_in_is_left_out_of_a_group_and_guests_are_not(house: House, contoso: Sample) -> None:
    send = await send_to(house, {"group": contoso.everyone.id})
    await plan.plan(house.service, send.id)

    there = await users(house, send)

    assert contoso.disabled.object_id not in there
    assert contoso.guest.object_id in there


async def test_a_group_that_cannot_be_read_is_one_result_and_the_others_get_the_message(
    house: House, teams: TeamsStandIn, contoso: Sample
) -> None:
    contoso.organisation.group("Twin", mail="a@contoso.com")
    contoso.organisation.group("Twin", mail="b@contoso.com")
    await house.knows(contoso.people[:5])
    made = contoso.organisation.group("Five", *contoso.people[:5])

    send = await send_to(
        house, {"group": NOBODY}, {"group": "Nobodies"}, {"team": "No team"}, {"group": "Twin"}, {"group": made.id}
    )
    await house.drain()

    found = await codes(house, send)
    assert found[NOBODY] == found["Nobodies"] == (404, "unknownGroup")
    assert found["No team"] == (404, "unknownTeam")
    assert found["Twin"] == (404, "ambiguousGroup")
    assert len(found) == 9
    assert {len(teams.delivered(person)) for person in contoso.people[:5]} == {1}


async def test_a_group_of_nobody_completes(house: House, contoso: Sample) -> None:
    group = contoso.organisation.group("Empty")
    send = await send_to(house, {"group": group.id})
    await house.drain()

    assert await planned(house, send) == []
    assert (await house.kept(send)).completed_at


# --- Who is meant by a name


async def test_names_that_the_bot_does_not_know_are_found_in_the_directory_some_at_a_time(
    house: House, contoso: Sample, graph: GraphStandIn
) -> None:
    wanted = contoso.people[:45]
    names = [p.mail for p in wanted[:15]] + [p.upn for p in wanted[15:30]] + [p.name for p in wanted[30:]]
    send = await send_to(house, *names)
    assert graph.stats.requests == 0, "nobody waits for Graph before the answer goes out"
    await plan.plan(house.service, send.id)

    found = {recipient.name: recipient.user for recipient, _ in await planned(house, send)}

    assert found == {name: person.object_id for name, person in zip(names, wanted, strict=True)}
    assert graph.stats.calls == {"batch": 3}


async def test_a_name_is_found_or_a_result_that_says_why_not(house: House, contoso: Sample) -> None:
    for number in range(7):
        contoso.organisation.enrol([Person.named("Kim Lee", mail=f"kim{number}@contoso.com", object_id=str(number))])
    names = ["Sam Smith", "sales@contoso.com", "Kim Lee", "Nobody", "no@contoso.com", {"user": "Sam Smith"}]
    send = await send_to(
        house, *names, contoso.disabled.mail, contoso.disabled.name, contoso.guest.name, contoso.quoted.name, PAT.mail
    )
    await plan.plan(house.service, send.id)

    found = await codes(house, send)

    north, south = contoso.one_mail
    first, second = contoso.namesakes
    assert found["sales@contoso.com"] == (
        404,
        f"ambiguousRecipient: {north.name} <{north.mail}>, {south.name} <{south.mail}>",
    )
    assert found["Sam Smith"] == (
        404,
        f"ambiguousRecipient: {first.name} <{first.mail}>, {second.name} <{second.mail}>",
    )
    kims = ", ".join(f"Kim Lee <kim{number}@contoso.com>" for number in range(5))
    assert found["Kim Lee"] == (404, f"ambiguousRecipient: {kims}, …")
    assert found["Nobody"] == found["no@contoso.com"] == (404, "unknownRecipient")
    assert found[contoso.disabled.mail] == found[contoso.disabled.name] == (404, "accountDisabled")
    assert found[contoso.guest.name] == found[contoso.quoted.name] == found[PAT.mail] == (None, "")


async def test_a_display_name_of_one_whom_the_bot_knows_may_be_that_of_several(house: House, contoso: Sample) -> None:
    """GIVEN the bot has met one of two namesakes THEN the name is nobody's, and not the one's whom it has met."""
    first, second = contoso.namesakes
    await house.knows([first], name=first.name)
    await learn(house, first)

    send = await send_to(house, first.name, PAT.name)
    await plan.plan(house.service, send.id)

    found = await codes(house, send)
    assert found[first.name][0] == 404
    assert second.mail in found[first.name][1]
    # whom only the bot knows it finds by its own knowledge
    assert found[PAT.name] == (None, "")


async def test_who_is_erased_is_no_longer_listed_as_one_of_several(house: House, contoso: Sample) -> None:
    first, _ = contoso.namesakes
    send = await send_to(house, first.name, "sales@contoso.com", PAT.mail)
    await house.drain()

    assert await erase(house.service, house.bot, CONTOSO, first.object_id, [first.mail])

    found = await codes(house, send)
    assert found[first.name] == (404, "ambiguousRecipient")
    assert found["sales@contoso.com"][1].startswith("ambiguousRecipient: ")
    assert found[PAT.mail] == (200, "")


async def test_whom_the_bot_knows_by_address_is_planned_at_once_without_graph(
    house: House, teams: TeamsStandIn, graph: GraphStandIn
) -> None:
    send = await send_to(house, PAT.mail, NOBODY)
    assert send.plan
    await house.drain()

    assert len(teams.delivered(PAT)) == 1
    assert graph.stats.requests == 0
