"""Whom a send goes to: people by all their names, each of them once."""

import asyncio
import uuid
from dataclasses import replace

import pytest

from local.teams import Person
from tests.stack import codes, ids


async def test_people_are_found_by_every_name_that_a_sender_may_know(stack):
    people = await stack.join(6, named=True)
    ada, alan, grace, joan, edsger, vint = people
    recipients = [
        ada.object_id,
        alan.upn,
        grace.mail,
        joan.name,
        {"user": edsger.object_id.upper()},
        {"user": vint.mail.upper()},
    ]

    outcome = (await stack.deliver(recipients)).ok()

    assert outcome["statusCode"] == 200
    assert outcome["succeeded"] is True
    assert outcome["counts"]["delivered"] == outcome["counts"]["total"] == 6
    assert [len(stack.got(person)) for person in people] == [1] * 6
    assert {result["userId"] for result in outcome["results"]} == set(ids(people))
    as_written = [entry["user"] if isinstance(entry, dict) else entry for entry in recipients]
    assert sorted(result["recipient"] for result in outcome["results"]) == sorted(as_written)


async def test_recipients_may_be_one_text_with_semicolons(stack):
    ada, alan, grace = people = await stack.join(3, named=True)
    outcome = (await stack.deliver(f" {ada.mail}; {alan.name} ;;{grace.object_id};")).ok()
    assert outcome["counts"]["delivered"] == outcome["counts"]["total"] == 3
    assert [len(stack.got(person)) for person in people] == [1] * 3


async def test_a_person_under_several_names_gets_one_message(stack):
    (ada,) = await stack.join(1, named=True)
    names = [ada.object_id, ada.upn, ada.mail, ada.name, ada.mail.upper(), {"user": ada.upn}, f"  {ada.name.lower()} "]

    outcome = (await stack.deliver(names)).ok()

    assert outcome["counts"]["total"] == 1
    assert outcome["statusCode"] == 200
    assert len(stack.got(ada)) == 1


async def test_a_name_that_fits_several_people_is_404_and_the_others_get_it(stack):
    (ada,) = await stack.join(1)
    name = f"Twin {uuid.uuid4().hex[:8]}"
    twins = [Person.named(name, object_id=str(uuid.uuid4()), mail=f"{uuid.uuid4().hex}@contoso.com") for _ in range(2)]
    crowd = await stack.crowd()
    await crowd.each(crowd.install, twins)
    await stack.learnt(*twins)

    outcome = (await stack.deliver([ada.object_id, name])).ok(424)

    assert codes(outcome) == {ada.object_id: (200, None), name: (404, "ambiguousRecipient")}
    assert outcome["statusCode"] == 207
    assert outcome["succeeded"] is False
    assert outcome["counts"]["delivered"] == outcome["counts"]["failed"] == 1
    assert len(stack.got(ada)) == 1
    assert [stack.got(twin) for twin in twins] == [[], []]
    # by an address each of them is one person
    assert (await stack.deliver([twins[0].mail])).status == 200
    assert [len(stack.got(twin)) for twin in twins] == [1, 0]


async def test_who_cannot_be_found_gets_a_code_and_the_others_the_message(stack):
    (ada,) = await stack.join(1)
    object_id, mail, name = str(uuid.uuid4()), f"{uuid.uuid4().hex}@contoso.com", f"Nobody {uuid.uuid4().hex}"

    outcome = (await stack.deliver([object_id, mail, name, {"user": f"n{uuid.uuid4().hex}"}, ada.object_id])).ok(424)

    found = {key: value for key, value in codes(outcome).items() if not key.startswith("n")}
    assert found == {
        ada.object_id: (200, None),
        object_id: (100, "notInstalled"),
        mail: (100, "notInstalled"),
        name: (404, "unknownRecipient"),
    }
    counts = outcome["counts"]
    assert (counts["total"], counts["delivered"], counts["notInstalled"], counts["failed"]) == (5, 1, 3, 1)
    assert outcome["statusCode"] == 207
    assert len(stack.got(ada)) == 1


@pytest.mark.parametrize("mail", ["o'brien", "a+b", "ünal", 'quo"te', "per%20cent", "sl/ash", "hash#tag", "que?ry"])
async def test_addresses_with_unusual_characters_find_their_person(stack, mail):
    address = f"{mail}.{uuid.uuid4().hex[:6]}@contoso.com"
    person = Person.named(f"Odd {uuid.uuid4().hex[:8]}", object_id=str(uuid.uuid4()), mail=address, upn="")
    await (await stack.crowd()).install(person)

    for _ in range(50):
        reply = await stack.deliver([address])
        if reply.status == 200:
            break
        await asyncio.sleep(0.1)

    assert codes(reply.body) == {address: (200, None)}
    assert len(stack.got(person)) == 1


async def test_a_person_without_mail_is_found_by_their_other_names(stack):
    person = Person.named(f"Guest {uuid.uuid4().hex[:8]}", object_id=str(uuid.uuid4()), mail="", upn="")
    guest = replace(person, upn=f"guest_{uuid.uuid4().hex[:6]}#EXT#@contoso.onmicrosoft.com", role="guest")
    await (await stack.crowd()).install(guest)
    await asyncio.sleep(0.5)
    for name in (guest.object_id, guest.upn, guest.name):
        assert (await stack.deliver([name])).status == 200, name
    assert len(stack.got(guest)) == 3


async def test_many_recipients_are_each_found_and_told_once(stack):
    people = await stack.join(130)
    await stack.learnt(*people[-10:])
    await stack.learnt(*people[:10])
    unknown = [f"{uuid.uuid4().hex}@contoso.com" for _ in range(10)]
    names = [person.object_id for person in people] + [person.mail for person in people[:10]] + unknown

    outcome = (await stack.deliver(names)).ok(424)

    counts = outcome["counts"]
    assert (counts["total"], counts["delivered"], counts["notInstalled"]) == (140, 130, 10)
    assert [len(stack.got(person)) for person in people] == [1] * 130
    assert len(outcome["results"]) == 100
    assert len(await stack.results(outcome["id"])) == 140
