"""The client against the stand-in, over HTTP: names, groups, installs, and what goes wrong on the way."""

import asyncio
import logging

import pytest

from local.graph import GraphFault, GraphStandIn, Organisation, TellTeams, sample
from local.graph.organisation import TEAMS_APP
from local.teams import CONTOSO, Crowd, Person, TeamsStandIn
from proactive.graph import Graph, GraphAway, GraphDenied, GraphError, GraphNotFound
from proactive.tokens import TokenError
from tests.graph.conftest import no_token

FABRIKAM = "9a1b7c55-3c0e-4a57-8f52-0a4b1a1c2d33"
SECOND = {"retry_after": 1}


async def everybody(graph, group, kind="group", tenant=CONTOSO):
    found, cursor, pages = [], "", 0
    while not pages or cursor:
        page, cursor = await graph.members(tenant, kind, group, cursor)
        found += page
        pages += 1
    return found, pages


def ids(accounts):
    return [account.id for account in accounts]


# --- names


async def test_a_person_is_found_by_each_of_their_names(graph, contoso):
    ada = contoso.people[0]
    names = [("person", name) for name in (ada.object_id, ada.upn, ada.mail, ada.name)]
    names += [("user", name) for name in (ada.object_id.upper(), ada.upn.upper(), ada.mail)]
    found = await graph.look_up(CONTOSO, names)
    assert [ids(found[name]) for name in names] == [[ada.object_id]] * 7
    account = found["person", ada.mail][0]
    assert account == (ada.object_id, ada.name, ada.mail, ada.upn, True, False)


async def test_who_is_not_there_is_nobody_and_fails_no_other_name(graph, contoso):
    ada = contoso.people[0]
    names = [
        ("person", "Nobody At All"),
        ("person", "nobody@contoso.com"),
        ("user", "00000000-0000-4000-8000-000000000000"),
        ("user", ada.name),  # a display name is no `user`
        ("person", ""),
        ("person", "x" * 5000),
        ("person", "\ud800"),
        ("person", ada.mail),
    ]
    found = await graph.look_up(CONTOSO, names)
    assert [len(found[name]) for name in names] == [0, 0, 0, 0, 0, 0, 0, 1]


async def test_ambiguous_names_and_mails_give_their_candidates(graph, contoso):
    found = await graph.look_up(CONTOSO, [("person", "sam smith"), ("person", "sales@contoso.com")])
    assert set(ids(found["person", "sam smith"])) == {person.object_id for person in contoso.namesakes}
    assert set(ids(found["person", "sales@contoso.com"])) == {person.object_id for person in contoso.one_mail}


async def test_a_principal_name_comes_before_the_mail_of_another_and_a_display_name_is_no_address(graph, contoso):
    owner = Person.named("Owner", mail="other@contoso.com", upn="boss@contoso.com")
    double = Person.named("Double", mail="boss@contoso.com", upn="double@contoso.com")
    liar = Person.named("ceo@contoso.com", mail="liar@contoso.com", upn="liar@contoso.com")
    contoso.organisation.enrol([owner, double, liar])
    found = await graph.look_up(CONTOSO, [("person", "boss@contoso.com"), ("person", "ceo@contoso.com")])
    assert ids(found["person", "boss@contoso.com"]) == [owner.object_id]
    assert found["person", "ceo@contoso.com"] == []


async def test_a_disabled_account_says_so_and_is_no_candidate_beside_another(graph, contoso):
    old = Person.named("Sam Old", mail="new@contoso.com", upn="old@contoso.com")
    contoso.organisation.enrol([old], enabled=False)
    new = Person.named("Sam Old", object_id="00000000-0000-4000-8000-00000000000a", mail="x@contoso.com")
    contoso.organisation.enrol([new])
    found = await graph.look_up(CONTOSO, [("person", contoso.disabled.upn), ("person", "Sam Old")])
    assert [account.enabled for account in found["person", contoso.disabled.upn]] == [False]
    assert ids(found["person", "Sam Old"]) == [new.object_id]


async def test_a_guest_says_so(graph, contoso):
    found = await graph.look_up(CONTOSO, [("person", "gus@fabrikam.com"), ("user", contoso.guest.upn)])
    assert [(ids(accounts), accounts[0].guest) for accounts in found.values()] == [
        ([contoso.guest.object_id], True)
    ] * 2


@pytest.mark.parametrize(
    "attack",
    [
        "' or 1 eq 1 or displayName eq '",
        "'' or 1 eq 1",
        "x'or'1'eq'1",
        "x%27 or 1 eq 1 or displayName eq %27",
        "x&$filter=1 eq 1",
        "'@'",
        "a'or'1'eq'1'or'@b",
        "x#' or 1 eq 1",
        "\\' or 1 eq 1 --",
    ],
)
async def test_a_name_stays_a_name_whatever_stands_in_it(graph, contoso, there, attack):
    found = await graph.look_up(CONTOSO, [("person", attack), ("user", attack)])
    assert list(found.values()) == [[], []]
    with pytest.raises(GraphNotFound, match="unknownGroup"):
        await graph.members(CONTOSO, "group", attack)
    assert 400 not in there.stats.statuses


async def test_quotes_and_letters_beyond_ascii_are_found(graph, contoso):
    quoted = contoso.quoted
    names = [("person", quoted.name), ("person", quoted.mail), ("user", quoted.upn)]
    odd = Person.named("Bryan + Söhne & 100% #1", mail="b+x@contoso.com")
    contoso.organisation.enrol([odd])
    found = await graph.look_up(CONTOSO, [*names, ("person", odd.name), ("person", odd.mail)])
    assert [ids(accounts) for accounts in found.values()] == [[quoted.object_id]] * 3 + [[odd.object_id]] * 2


async def test_names_travel_in_batches_of_twenty_several_at_once(contoso, clock):
    async with GraphStandIn(contoso.organisation, latency=0.2) as there:
        graph = Graph(there.base_url, no_token, clock=clock)
        found = await graph.look_up(CONTOSO, [("person", person.mail) for person in contoso.people])
        await graph.close()
    assert [ids(accounts) for accounts in found.values()] == [[person.object_id] for person in contoso.people]
    assert (there.stats.calls, there.stats.within, there.stats.peak) == ({"batch": 3}, {"users": 60}, 3)


async def test_only_what_was_throttled_within_a_batch_is_asked_again(graph, contoso, there):
    number = there.fault(GraphFault(status=429, kind="users", nth=3, times=2, **SECOND))
    found = await graph.look_up(CONTOSO, [("person", person.mail) for person in contoso.people[:20]])
    assert [len(accounts) for accounts in found.values()] == [1] * 20
    assert (there.hits(number), there.stats.calls["batch"], there.stats.within["users"]) == (2, 2, 22)


async def test_throttling_at_random_loses_nobody(graph, contoso, there, monkeypatch):
    monkeypatch.setattr("proactive.graph_calls._FIRST_PAUSE", 0.001)
    number = there.fault(GraphFault(status=429, kind="users", probability=0.2, seed=4))
    names = [("person", person.mail) for person in contoso.people]
    assert [len(accounts) for accounts in (await graph.look_up(CONTOSO, names)).values()] == [1] * 60
    assert there.hits(number) > 5


async def test_one_malformed_name_is_nobody_but_a_malformed_batch_is_an_error(graph, contoso, there, caplog):
    names = [("person", person.mail) for person in contoso.people[:3]]
    there.fault(GraphFault(status=400, kind="batch", times=1))
    with pytest.raises(GraphError, match="BadRequest"):
        await graph.look_up(CONTOSO, names)
    there.fault(GraphFault(status=400, kind="users", times=1))
    found = await graph.look_up(CONTOSO, names)
    assert sorted(len(accounts) for accounts in found.values()) == [0, 1, 1]
    assert "malformed" in caplog.text


async def test_a_long_wait_is_handed_on_and_what_was_found_is_not_asked_for_again(graph, contoso, there):
    names = [("person", person.mail) for person in contoso.people[:20]]
    there.fault(GraphFault(status=429, about=contoso.people[7].mail, retry_after=90))
    with pytest.raises(GraphAway) as raised:
        await graph.look_up(CONTOSO, names)
    assert (raised.value.reason, raised.value.retry_after) == ("TooManyRequests", 90)
    there.clear()
    found = await graph.look_up(CONTOSO, names)
    assert (len(found), there.stats.within) == (20, {"users": 1})


async def test_what_was_found_is_kept_ten_minutes_and_what_was_not_for_one(graph, contoso, there, clock):
    ada, new = contoso.people[0], Person.named("New Here")
    names = [("person", ada.mail), ("person", new.mail), ("person", "Sam Smith")]
    await graph.look_up(CONTOSO, names)
    contoso.organisation.enrol([new])
    clock.now += 59
    assert (await graph.look_up(CONTOSO, names))["person", new.mail] == []
    clock.now += 2
    found = await graph.look_up(CONTOSO, [("person", name.upper()) for _, name in names])
    assert ids(found["person", new.mail.upper()]) == [new.object_id]
    assert there.stats.within["users"] == 5
    clock.now += 540
    await graph.look_up(CONTOSO, names[:1])
    assert there.stats.within["users"] == 6


async def test_the_oldest_of_too_many_names_are_forgotten(graph, contoso, there, monkeypatch):
    monkeypatch.setattr("proactive.directory._MOST_KEPT", 10)
    names = [("person", person.mail) for person in contoso.people[:12]]
    assert len(await graph.look_up(CONTOSO, names)) == 12
    await graph.look_up(CONTOSO, names[2:])
    assert there.stats.within["users"] == 12
    await graph.look_up(CONTOSO, names[:2])
    assert there.stats.within["users"] == 14


# --- groups and teams


@pytest.mark.parametrize("repeats", [False, True])
async def test_a_group_has_the_people_of_the_groups_in_it_page_by_page(contoso, clock, monkeypatch, repeats):
    monkeypatch.setattr("proactive.graph._PAGE", 7)
    async with GraphStandIn(contoso.organisation, repeats=repeats) as there:
        graph = Graph(there.base_url, no_token, clock=clock)
        found, pages = await everybody(graph, contoso.everyone.id)
        await graph.close()
    assert set(ids(found)) == {person.object_id for person in [*contoso.people, contoso.guest]}
    assert (len(found) > len(set(found))) is repeats
    assert pages == there.stats.calls["members"] == (9 if not repeats else 11)


async def test_a_group_that_is_in_itself_comes_to_an_end(graph, contoso):
    contoso.everyone.members.append(contoso.everyone.id)
    assert len((await everybody(graph, contoso.everyone.id))[0]) == 61


async def test_ten_thousand_people_take_eleven_calls(clock):
    big = sample(10_000)
    async with GraphStandIn(big.organisation) as there:
        graph = Graph(there.base_url, no_token, clock=clock)
        found, pages = await everybody(graph, big.everyone.id)
        await graph.close()
    assert (len(set(found)), pages, there.stats.requests) == (10_001, 11, 11)


async def test_a_team_is_read_as_its_group(graph, contoso, there):
    there.grant("GroupMember.Read.All", "User.Read.All")
    found, _ = await everybody(graph, contoso.team.id, "team")
    assert set(ids(found)) == {p.object_id for p in [*contoso.people[::5], contoso.guest]}


async def test_a_group_may_be_named_by_its_mail_or_display_name(graph, contoso):
    for name in ("everyone@contoso.com", "EVERYONE", contoso.everyone.id.upper()):
        assert len((await everybody(graph, name))[0]) == 61
    contoso.organisation.group("Everyone", mail="another@contoso.com")
    for kind, name, reason in [
        ("group", "Everyone", "ambiguousGroup"),
        ("group", "Nobody", "unknownGroup"),
        ("group", "", "unknownGroup"),
        ("team", "none@contoso.com", "unknownTeam"),
        ("team", "00000000-0000-4000-8000-000000000000", "unknownTeam"),
    ]:
        with pytest.raises(GraphNotFound) as raised:
            await graph.members(CONTOSO, kind, name)
        assert raised.value.reason == reason


async def test_a_cursor_outlives_the_client_and_an_old_one_says_so(graph, contoso, there, clock, monkeypatch):
    monkeypatch.setattr("proactive.graph._PAGE", 40)
    first, cursor = await graph.members(CONTOSO, "group", contoso.everyone.id)
    another = Graph(there.base_url, no_token, clock=clock)
    rest, end = await another.members(CONTOSO, "group", contoso.everyone.id, cursor)
    assert (len(set(first + rest)), end) == (61, "")
    there.rules.expire_cursors()
    with pytest.raises(GraphError, match="Directory_ExpiredPageToken"):
        await another.members(CONTOSO, "group", contoso.everyone.id, cursor)
    await another.close()


async def test_a_link_that_leads_elsewhere_is_never_followed(contoso, clock, monkeypatch):
    monkeypatch.setattr("proactive.graph._PAGE", 40)

    async def token(tenant):
        return "secret"

    async with GraphStandIn(contoso.organisation) as thief, GraphStandIn(contoso.organisation) as there:
        graph = Graph(there.base_url, token, clock=clock)
        port = there.url.rpartition(":")[2]
        for link in (
            thief.base_url,
            f"https://127.0.0.1:{port}/v1.0",
            f"http://graph.test:{port}/v1.0",
            f"http://me:you@127.0.0.1:{port}/v1.0",
            f"http://127.0.0.1:{port}@{thief.url.removeprefix('http://')}",
            f"{thief.base_url}\\@127.0.0.1:{port}/v1.0",
            "file:///etc/passwd",
        ):
            there.rules.links_to = link
            with pytest.raises(GraphError, match="foreignLink"):
                await graph.members(CONTOSO, "group", contoso.everyone.id)
            with pytest.raises(GraphError, match="foreignLink"):
                await graph.members(CONTOSO, "group", contoso.everyone.id, link)
        await graph.close()
    assert thief.stats.requests == 0


# --- waiting and failing


@pytest.mark.parametrize("fault", [{"status": 429, **SECOND}, {"status": 503}, {"cut": "close"}, {"cut": "reset"}])
async def test_what_passes_is_waited_for(graph, contoso, there, fault):
    number = there.fault(GraphFault(kind="members", times=1, **fault))
    start = asyncio.get_running_loop().time()
    page, _ = await graph.members(CONTOSO, "group", contoso.team.id)
    assert (len(page), there.hits(number)) == (13, 1)
    assert asyncio.get_running_loop().time() - start >= fault.get("retry_after", 0)


async def test_a_long_wait_is_the_callers_to_arrange(graph, contoso, there):
    there.fault(GraphFault(status=429, retry_after=6))
    for call in (
        graph.members(CONTOSO, "group", contoso.team.id),
        graph.look_up(CONTOSO, [("person", "x@y")]),
        graph.install(CONTOSO, contoso.people[0].object_id, TEAMS_APP),
    ):
        with pytest.raises(GraphAway) as raised:
            await call
        assert (raised.value.reason, raised.value.retry_after) == ("TooManyRequests", 6)
    assert there.stats.requests == 3


async def test_who_cannot_be_reached_is_away_after_a_few_tries(contoso, clock, monkeypatch):
    monkeypatch.setattr("proactive.graph_calls._FIRST_PAUSE", 0.001)
    async with GraphStandIn(contoso.organisation) as there:
        graph = Graph(there.base_url, no_token, clock=clock)
        number = there.fault(GraphFault(status=503))
        with pytest.raises(GraphAway, match="serviceNotAvailable") as raised:
            await graph.members(CONTOSO, "group", contoso.team.id)
        assert raised.value.retry_after > 0
        assert there.hits(number) == 5
    with pytest.raises(GraphAway, match="connection"):
        await graph.members(CONTOSO, "group", contoso.team.id)
    await graph.close()


@pytest.mark.parametrize(
    ("granted", "permission"),
    [((), "GroupMember.Read.All"), (("User.Read.All",), "GroupMember.Read.All")],
)
async def test_a_missing_permission_is_named(graph, contoso, there, granted, permission):
    there.grant(*granted)
    with pytest.raises(GraphDenied) as raised:
        await graph.members(CONTOSO, "group", contoso.team.id)
    assert (raised.value.reason, raised.value.permission) == ("Authorization_RequestDenied", permission)
    assert permission in str(raised.value)


async def test_the_permission_for_people_and_for_installs_is_named(graph, contoso, there, caplog):
    there.grant("GroupMember.Read.All")
    with pytest.raises(GraphDenied) as raised:
        await graph.look_up(CONTOSO, [("person", contoso.people[0].mail)])
    assert raised.value.permission == "User.Read.All"
    with pytest.raises(GraphDenied) as raised:
        await graph.install(CONTOSO, contoso.people[0].object_id, TEAMS_APP)
    assert raised.value.permission == "TeamsAppInstallation.ReadWriteSelfForUser.All"
    assert [record.levelname for record in caplog.records] == ["ERROR"]  # one for all that failed at the time
    assert "User.Read.All" in caplog.text


async def test_without_the_permission_to_read_it_nobody_counts_as_disabled(graph, contoso, there):
    there.grant("GroupMember.Read.All", "User.ReadBasic.All")
    found = await graph.look_up(CONTOSO, [("person", contoso.disabled.mail)])
    assert [account.enabled for account in found["person", contoso.disabled.mail]] == [True]
    there.grant("GroupMember.Read.All")
    page, _ = await graph.members(CONTOSO, "group", contoso.everyone.id)
    assert len(page) == 62
    assert page[0].display_name == ""


async def test_a_refused_token_is_forgotten_once(contoso, clock):
    tokens = {"good": CONTOSO}
    given, forgotten = ["bad", "good", "bad", "bad"], []

    async def token(tenant):
        return given.pop(0)

    async with GraphStandIn(contoso.organisation, tokens=tokens) as there:
        graph = Graph(there.base_url, token, clock=clock, forget=forgotten.append)
        assert await graph.members(CONTOSO, "group", contoso.team.id)
        with pytest.raises(GraphDenied) as raised:
            await graph.members(CONTOSO, "group", contoso.team.id)
        await graph.close()
    assert (raised.value.reason, raised.value.permission) == ("InvalidAuthenticationToken", "")
    assert (forgotten, given) == ([CONTOSO] * 2, [])


async def test_without_a_token_graph_is_away(contoso, there, clock, caplog):
    async def token(tenant):
        raise TokenError("No token for bot b: check the secret.")

    graph = Graph(there.base_url, token, clock=clock)
    with pytest.raises(GraphAway, match="noToken"):
        await graph.look_up(CONTOSO, [("person", "x@y")])
    await graph.close()
    assert "check the secret" in caplog.text
    assert there.stats.requests == 0


async def test_answers_that_are_none_are_errors_and_no_crashes(graph, contoso, there, monkeypatch):
    monkeypatch.setattr("local.graph.server.GraphStandIn._batch", _odd_batch)
    monkeypatch.setattr("proactive.graph_calls._FIRST_PAUSE", 0.001)
    with pytest.raises(GraphAway, match="connection"):
        await graph.look_up(CONTOSO, [("person", "x@y")])


async def _odd_batch(*_):
    from local.graph.errors import Answer

    return Answer(200, {"responses": [None, {"id": 0}, {"id": "7", "status": 200}, {"status": "200", "headers": 3}]})


# --- tenants


@pytest.mark.parametrize("with_tokens", [False, True])
async def test_two_tenants_see_nothing_of_each_other(contoso, clock, with_tokens):
    other = Organisation(FABRIKAM)
    twin = Person.named("Twin", object_id=contoso.people[0].object_id, mail="twin@fabrikam.com", tenant_id=FABRIKAM)
    other.enrol([twin])

    async def token(tenant):
        return f"for {tenant}" if with_tokens else ""

    tokens = {f"for {tenant}": tenant for tenant in (CONTOSO, FABRIKAM)} if with_tokens else None
    async with GraphStandIn(contoso.organisation, other, tokens=tokens) as there:
        graph = Graph(there.base_url, token, clock=clock)
        name = ("user", twin.object_id)
        here, elsewhere = [(await graph.look_up(t, [name]))[name][0] for t in (CONTOSO, FABRIKAM)]
        with pytest.raises(GraphNotFound):
            await graph.members(FABRIKAM, "group", contoso.everyone.id)
        await graph.close()
    assert (here.display_name, elsewhere.display_name) == (contoso.people[0].name, "Twin")
    assert there.stats.tokens == set(tokens or ())


# --- installs


async def test_an_install_reaches_teams_and_the_bot_and_may_be_there_already(contoso, clock, endpoint):
    ada = contoso.people[0]
    async with TeamsStandIn() as teams, Crowd(teams, endpoint.url) as crowd:
        told = TellTeams(teams, contoso.people, crowd)
        async with GraphStandIn(contoso.organisation, on_install=told) as there:
            graph = Graph(there.base_url, no_token, clock=clock)
            await graph.install(CONTOSO, ada.object_id, TEAMS_APP)
            assert teams.conversation_id(ada) == ada.conversation_id
            await told.heard()
            await graph.install(CONTOSO, ada.object_id, TEAMS_APP)
            await graph.close()
    assert there.stats.statuses == {201: 1, 409: 1}
    assert [activity["type"] for activity in endpoint.heard] == ["installationUpdate", "conversationUpdate"]


async def test_an_install_that_was_done_and_not_answered_is_fine(graph, contoso, there):
    there.fault(GraphFault(kind="install", status=502, accepted=True, times=1))
    await graph.install(CONTOSO, contoso.people[0].object_id, TEAMS_APP)
    assert there.stats.statuses == {502: 1, 409: 1}


async def test_what_cannot_be_installed_says_why(graph, contoso, there):
    ada, alan = contoso.people[:2]
    contoso.organisation.blocked.add(ada.object_id)
    with pytest.raises(GraphDenied) as raised:
        await graph.install(CONTOSO, ada.object_id, TEAMS_APP)
    assert (raised.value.reason, raised.value.permission) == ("blockedByPolicy", "")
    for user, app in [(alan.object_id, "no-such-app"), ("00000000-0000-4000-8000-000000000000", TEAMS_APP)]:
        with pytest.raises(GraphNotFound, match="NotFound"):
            await graph.install(CONTOSO, user, app)


# --- what must not be told


async def test_no_name_address_or_token_is_logged_or_in_an_error(contoso, clock, caplog):
    caplog.set_level(logging.DEBUG)
    said = []

    async def token(tenant):
        return "s3cret-token"

    async with GraphStandIn(contoso.organisation) as there:
        graph = Graph(there.base_url, token, clock=clock)
        for status in (400, 401, 403, 404, 418, 429, 500, 503):
            clock.now += 60
            words = f"Insufficient privileges: {contoso.quoted.mail} {contoso.quoted.name}"
            number = there.fault(GraphFault(status=status, code=contoso.quoted.mail, message=words, retry_after=60))
            for call in (
                graph.look_up(CONTOSO, [("person", contoso.quoted.mail)]),
                graph.members(CONTOSO, "group", "everyone@contoso.com"),
                graph.install(CONTOSO, contoso.quoted.object_id, TEAMS_APP),
            ):
                try:
                    await call
                except GraphError as error:
                    said.append(f"{error} {error!r} {error.reason}")
            assert there.hits(number) == (6 if status == 401 else 3)
            there.clear()
        await graph.close()
    text = caplog.text + "\n".join(said)
    assert len(said) == 24
    for secret in (contoso.quoted.mail, "O'Brien", "everyone@", "s3cret-token", contoso.quoted.object_id):
        assert secret not in text
