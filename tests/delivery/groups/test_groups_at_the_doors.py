"""Groups over the queue, at a door without Graph, and in a dry run."""

import json
from typing import Any

import pytest

from local.graph import GraphStandIn, Sample
from local.teams import TeamsStandIn
from proactive import events
from proactive.accept import accept
from proactive.graph import Graph
from proactive.preview import preview
from proactive.problems import ProblemError
from proactive.settings import GraphAccess
from tests.delivery.conftest import Clock, House
from tests.delivery.groups.directory import AWAY, NOBODY, PAT, crowd, opened

# --- The doors


async def test_a_message_to_a_group_may_come_over_the_queue(house: House, teams: TeamsStandIn, contoso: Sample) -> None:
    await house.knows(crowd(contoso))
    body = {"recipients": [{"group": "everyone@contoso.com"}], "message": "hello"}

    await events.take(house.service, json.dumps(body).encode(), "m1")
    await house.drain()

    assert {len(teams.delivered(person)) for person in crowd(contoso)} == {1}


@pytest.mark.parametrize("access", [None, GraphAccess("http://127.0.0.1:9", tenant_id=NOBODY)], ids=["none", "other"])
async def test_without_graph_a_group_is_refused_at_the_door_and_on_the_queue(
    storage: str, teams: TeamsStandIn, clock: Clock, access: GraphAccess | None
) -> None:
    body = {"recipients": [PAT.object_id, {"group": "Everyone"}, {"team": "Orders"}], "message": "hello"}
    async with opened(storage, teams, clock, access) as house:
        with pytest.raises(ProblemError) as refusal:
            await accept(house.service, body)
        await events.take(house.service, json.dumps(body).encode(), "m2")

        assert refusal.value.status == 400
        assert [error.pointer for error in refusal.value.errors] == ["/recipients/1", "/recipients/2"]
        setting = "PROACTIVE_GRAPH_TENANT_ID" if access else "PROACTIVE_GRAPH_CLIENT_ID"
        assert all(setting in error.detail for error in refusal.value.errors)
        assert await house.pending("sends-poison")
        await house.drain()
        assert not teams.delivered(PAT)


# --- A dry run


async def dry(house: House, *recipients: Any) -> dict[str, Any]:
    body = {"recipients": list(recipients), "message": "hello", "dryRun": True}
    return await preview(house.service, body, operator=False)


async def test_a_dry_run_tells_how_many_a_group_has_and_how_many_of_them_lack_the_bot(
    house: House, contoso: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.knows(contoso.people[:40])
    for name in ("add", "add_inputs"):
        monkeypatch.setattr(f"proactive.store.sends.Sends.{name}", None)

    told = await dry(house, {"group": "Everyone"}, {"team": contoso.team.id}, {"group": "No"}, "Sam Smith", PAT.mail)

    assert told["groups"] == [
        {"group": "Everyone", "total": 61, "notInstalled": 21, "complete": True, "reason": None},
        {"team": contoso.team.id, "total": 13, "notInstalled": 5, "complete": True, "reason": None},
        {"group": "No", "total": 0, "notInstalled": 0, "complete": False, "reason": "unknownGroup"},
    ]
    assert (told["counts"]["total"], told["counts"]["failed"], told["complete"]) == (64, 2, True)


async def test_a_dry_run_ends_in_time(
    house: House, contoso: Sample, graph: GraphStandIn, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proactive.graph._PAGE", 7)
    monkeypatch.setattr("proactive.preview.PAGES", 2)
    real = Graph.members

    async def slow(self: Graph, *args: Any) -> Any:
        clock.ahead += 15
        return await real(self, *args)

    monkeypatch.setattr(Graph, "members", slow)
    told = await dry(house, {"group": "Everyone"}, {"group": "West"})

    (group,) = told["groups"]
    assert group["complete"] is told["complete"] is False
    assert 7 <= group["total"] <= 28


async def test_a_dry_run_says_when_graph_is_away(house: House, graph: GraphStandIn) -> None:
    graph.fault(AWAY)

    told = await dry(house, {"group": "Everyone"}, "Sam Smith", PAT.mail)

    assert told["groups"][0]["reason"] == "graphAway: serviceNotAvailable"
    shown = {row["recipient"]: row["reason"] for row in told["recipients"]}
    assert shown == {"Everyone": "graphAway: serviceNotAvailable", "Sam Smith": "graphAway: serviceNotAvailable",
                     PAT.mail: None}  # fmt: skip
