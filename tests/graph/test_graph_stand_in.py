"""The stand-in itself: pages, casts, batches, permissions, installs and errors as Graph has them."""

import pytest

from local.graph import GraphFault, sample
from local.graph.control import spawn
from local.graph.organisation import MANIFEST, TEAMS_APP
from local.teams import CONTOSO
from proactive.graph import Graph
from tests.graph.conftest import no_token

EVENTUAL = {"ConsistencyLevel": "eventual"}


@pytest.fixture
def ask(session, there):
    async def ask(path, body=None, **headers):
        method = "GET" if body is None else "POST"
        url = path if path.startswith("http") else there.base_url + path
        async with session.request(method, url, json=body, headers=headers) as response:
            text = await response.text()
            return response.status, (await response.json()) if text else None, response.headers

    return ask


async def test_a_person_by_id_and_principal_name(ask, contoso):
    ada = contoso.people[0]
    for name in (ada.object_id, ada.upn):
        status, body, _ = await ask(f"/users/{name}")
        assert status == 200
        assert body == {"id": ada.object_id, "displayName": ada.name, "mail": ada.mail, "userPrincipalName": ada.upn}
    status, body, _ = await ask("/users/nobody?$select=id")
    assert (status, body["error"]["code"]) == (404, "Request_ResourceNotFound")
    assert {"date", "request-id"} <= body["error"]["innerError"].keys()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("displayName eq 'Sam Smith'", 2),
        ("mail eq 'SALES@contoso.com' or displayName eq 'Sam Smith'", 4),
        ("displayName eq 'Sinéad O''Brien'", 1),
        ("mail eq '' or 1 eq 1", 67),
        ("mail eq ''", 0),
    ],
)
async def test_filters(ask, query, found):
    status, body, _ = await ask(f"/users?$filter={query}&$select=id&$top=999")
    assert (status, len(body["value"])) == (200, found)


@pytest.mark.parametrize("query", ["displayName eq 'O'Brien'", "mail eq", "mail ne 'x'", "mail eq 'x", "x eq 'y'", ")"])
async def test_filters_that_are_none(ask, query):
    status, body, _ = await ask(f"/users?$filter={query}")
    assert (status, body["error"]["code"]) == (400, "Request_BadRequest")


async def test_members_need_a_count_and_come_in_pages(ask, contoso):
    path = f"/groups/{contoso.everyone.id}/transitiveMembers/microsoft.graph.user?$select=id&$top=50"
    assert (await ask(path))[1]["error"]["code"] == "Request_UnsupportedQuery"
    assert (await ask(f"{path}&$count=true"))[0] == 400
    _, first, _ = await ask(f"{path}&$count=true", **EVENTUAL)
    _, second, _ = await ask(first["@odata.nextLink"], **EVENTUAL)
    assert (len(first["value"]), len(second["value"]), "@odata.nextLink" in second) == (50, 12, False)
    assert first["@odata.count"] == 62
    assert (await ask(path.replace("=50", "=1000") + "&$count=true", **EVENTUAL))[0] == 400


async def test_the_members_of_a_team_have_a_shape_of_their_own(ask, contoso):
    _, body, _ = await ask(f"/teams/{contoso.team.id}/members?$top=5")
    assert body["value"][0].keys() == {"id", "userId", "displayName", "email"}
    assert "@odata.nextLink" in body
    assert (await ask(f"/teams/{contoso.everyone.id}/members"))[0] == 404
    assert (await ask(f"/groups/{contoso.team.id}"))[1]["mail"] == "orders@contoso.com"


async def test_a_batch_answers_each_for_itself_and_takes_twenty(ask, there):
    def steps(count):
        return {"requests": [{"id": str(i), "method": "GET", "url": f"/users/{i}"} for i in range(count)]}

    there.fault(GraphFault(status=429, retry_after=3, about="/users/1", times=1))
    status, body, _ = await ask("/$batch", steps(20))
    by_id = {answer["id"]: answer for answer in body["responses"]}
    assert (status, len(by_id)) == (200, 20)
    assert (by_id["1"]["status"], by_id["1"]["headers"]) == (429, {"Retry-After": "3"})
    assert {by_id[i]["status"] for i in by_id if i != "1"} == {404}
    assert (await ask("/$batch", steps(21)))[0] == 400
    assert (await ask("/$batch", {"requests": [{"id": "1", "method": "GET", "url": "/users/1"}] * 2}))[0] == 400
    assert (await ask("/$batch", {}))[0] == 400


async def test_installs(ask, contoso):
    path = f"/users/{contoso.people[0].object_id}/teamwork/installedApps"
    bind = {"teamsApp@odata.bind": f"https://graph.microsoft.com/v1.0/appCatalogs/teamsApps/{TEAMS_APP}"}
    assert (await ask(path, {}))[0] == 400
    assert (await ask(path, bind))[:2] == (201, None)
    assert (await ask(path, bind))[1]["error"]["code"] == "Conflict"
    _, body, _ = await ask(f"{path}?$expand=teamsApp&$filter=teamsApp/externalId eq '{MANIFEST}'")
    assert [entry["teamsApp"]["id"] for entry in body["value"]] == [TEAMS_APP]
    assert (await ask(f"{path}?$filter=teamsApp/externalId eq 'another'"))[1] == {"value": []}
    _, body, _ = await ask(f"{path}/{body['value'][0]['id']}/chat")
    assert body["chatType"] == "oneOnOne"
    assert (await ask(f"{path}/another/chat"))[0] == 404


async def test_a_blocked_install_and_a_missing_permission_share_their_code(ask, contoso, there):
    path = f"/users/{contoso.people[0].object_id}/teamwork/installedApps"
    bind = {"teamsApp@odata.bind": f"{there.base_url}/appCatalogs/teamsApps/{TEAMS_APP}"}
    contoso.organisation.blocked.add(contoso.people[0].object_id)
    status, body, _ = await ask(path, bind)
    assert (status, body["error"]["code"], body["error"]["innerError"]["code"]) == (403, "Forbidden", "AccessDenied")
    there.grant("User.Read.All")
    status, body, _ = await ask(path, bind)
    assert (status, body["error"]["code"]) == (403, "Forbidden")
    assert "TeamsAppInstallation.ReadWriteSelfForUser.All" in body["error"]["message"]


async def test_a_person_who_leaves_is_in_no_group(ask, contoso):
    contoso.organisation.remove(contoso.people[0])
    path = f"/groups/{contoso.everyone.id}/transitiveMembers/microsoft.graph.user?$count=true&$top=999"
    assert len((await ask(path, **EVENTUAL))[1]["value"]) == 61
    assert (await ask(f"/users/{contoso.people[0].object_id}"))[0] == 404


async def test_what_graph_does_not_have_is_a_bad_request(ask):
    assert (await ask("/me"))[0] == 400
    assert (await ask("/users", {}))[0] == 400


@pytest.mark.parametrize("wrong", [{}, {"times": 2}, {"status": 500, "cut": "reset"}])
def test_a_fault_that_does_nothing_or_two_things_is_refused(wrong):
    with pytest.raises(ValueError, match="fault"):
        GraphFault(**wrong)


async def test_a_stand_in_of_its_own_process_does_the_same(clock):
    made = sample(30)
    async with spawn("--people", "30", "--repeats") as remote:
        graph = Graph(remote.base_url, no_token, clock=clock)
        number = await remote.fault(GraphFault(status=503, kind="members", times=1))
        page, _ = await graph.members(CONTOSO, "group", made.everyone.id)
        assert {account.id for account in page} == {p.object_id for p in [*made.people, made.guest]}
        assert len(page) > 31
        assert await remote.hits(number) == 1
        await remote.grant("GroupMember.Read.All")
        figures = await remote.figures()
        assert (figures["calls"], figures["statuses"]) == ({"members": 2}, {"503": 1, "200": 1})
        await remote.clear()
        assert (await remote.figures())["calls"] == {}
        await graph.close()
