"""Microsoft Graph: who a name means, who is in a group or a team, and installing the app for somebody.

Everything here raises the errors of `proactive.graph_calls`: `GraphError` with `reason`, and below it `GraphAway` (with
`retry_after` in seconds), `GraphDenied` (with the `permission` that is missing) and `GraphNotFound`. Waits of a few
seconds that Graph asks for are waited for within a call.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import batched
from typing import Literal
from urllib.parse import quote

from proactive.directory import (
    PERSON_FIELDS,
    Account,
    Known,
    best,
    group_query,
    is_object_id,
    person_query,
    read_account,
    read_accounts,
    read_ids,
)
from proactive.graph_calls import MOST_IN_BATCH, Calls, GraphAway, GraphDenied, GraphError, GraphNotFound, Said

__all__ = ["Account", "Graph", "GraphAway", "GraphDenied", "GraphError", "GraphNotFound", "Name"]

# Which application permission each capability takes (docs/graph.md).
PEOPLE_PERMISSION = "User.Read.All"
GROUPS_PERMISSION = "GroupMember.Read.All"
INSTALL_PERMISSION = "TeamsAppInstallation.ReadWriteSelfForUser.All"

log = logging.getLogger(__name__)

type Name = tuple[str, str]  # "person" or "user", and the name

_BATCHES_AT_ONCE = 4  # Graph runs the requests of one batch side by side as it is
_PAGE = 999  # the most that Graph gives
_BAD_REQUEST, _NOT_FOUND, _CONFLICT = 400, 404, 409
# What Graph says about a single name that nobody has. One odd name must not fail the others.
_NOBODY = (_BAD_REQUEST, _NOT_FOUND)


class Graph:
    """Asks Microsoft Graph about the people of the tenants that this deployment serves. One for the process.

    `url` is the base address with the version (`https://graph.microsoft.com/v1.0`). `token` gives the bearer token for
    a tenant, or an empty text where none is to be sent, which only the stand-in takes; it may raise `TokenError`.
    `forget` is told the tenant whose token Graph has refused. `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        url: str,
        token: Callable[[str], Awaitable[str]],
        *,
        clock: Callable[[], float],
        forget: Callable[[str], object] = lambda _tenant: None,
    ) -> None:
        self._calls = Calls(url, token, clock=clock, forget=forget)
        self._clock = clock
        self._known = Known()

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()

    async def look_up(self, tenant: str, names: Sequence[Name]) -> dict[Name, list[Account]]:
        """Return whom each name means: nobody, one, or the (first 20) candidates of an ambiguous one.

        A name is `("user", object id, principal name or mail)` or `("person", one of these or a display name)`.
        Disabled accounts are among what is found: what becomes of them is the caller's to say.

        Asks for 20 names in a request, and for none that was found in the last 10 minutes (or not found, or ambiguous,
        in the last one). After an error the names that were found stay known: the next try asks for the others only.
        """
        now = self._clock()
        found: dict[Name, list[Account]] = {}
        asked: dict[Name, str] = {}
        for kind, name in dict.fromkeys(names):
            known = self._known.get(tenant, kind, name, now)
            if known is not None:
                found[kind, name] = known
            elif query := person_query(kind, name):
                asked[kind, name] = query
            else:
                found[kind, name] = []
        batches = batched(asked.items(), MOST_IN_BATCH, strict=False)
        workers = (self._look_up(tenant, batches, found) for _ in range(_BATCHES_AT_ONCE))
        for failure in await asyncio.gather(*workers, return_exceptions=True):
            if failure is not None:
                raise failure
        return found

    async def _look_up(
        self, tenant: str, batches: Iterator[tuple[tuple[Name, str], ...]], found: dict[Name, list[Account]]
    ) -> None:
        """Take batches from those that several take from, until there are none or one fails."""
        for batch in batches:
            failed: Said | None = None
            answers = await self._calls.batch(tenant, [query for _, query in batch], PEOPLE_PERMISSION)
            for ((kind, name), _), said in zip(batch, answers, strict=True):
                if said.status == 200:
                    one = read_account(said.body)
                    accounts = best(name, [one] if one else read_accounts(said.body))
                elif said.status in _NOBODY:
                    if said.status == _BAD_REQUEST:
                        log.warning("Microsoft Graph takes a name for malformed: %s", said.reason)
                    accounts = []
                else:
                    failed = said
                    continue
                found[kind, name] = accounts
                self._known.put(tenant, kind, name, accounts, self._clock())
            if failed is not None:
                self._calls.good(failed, PEOPLE_PERMISSION)

    async def members(
        self, tenant: str, kind: Literal["group", "team"], group: str, cursor: str = ""
    ) -> tuple[list[Account], str]:
        """Return a page of the people of a group or team, nested groups included, and the cursor of the next page.

        The first page is that of the cursor `""`; after the last one the cursor is `""` again. A page may be empty and
        not be the last; somebody may be on two pages. Disabled accounts are left out: nobody could read the message.

        `group` is an object id, a mail address or an exact display name. The reasons of `GraphNotFound` are
        `unknownGroup` and `ambiguousGroup` (`unknownTeam`, `ambiguousTeam`). A cursor that has grown too old raises
        `GraphError` with Graph's code (`Directory_ExpiredPageToken`): begin again.

        A team is the Microsoft 365 group of the same id, and both are read in one way: a team's own list
        (`/teams/{id}/members`) would take one more permission (TeamMember.Read.All) and tells neither the object's kind
        nor whether the account is enabled.
        """
        if not cursor:
            found = group if is_object_id(group) else await self._group_id(tenant, kind, group)
            # Graph takes a cast to users only with a count and the header ConsistencyLevel (Microsoft Learn, "Advanced
            # query capabilities on Microsoft Entra ID objects").
            query = f"$select={PERSON_FIELDS}&$top={_PAGE}&$count=true"
            cursor = f"/groups/{found}/transitiveMembers/microsoft.graph.user?{query}"
        said = await self._calls.ask(tenant, "GET", cursor)
        if said.status == _NOT_FOUND:
            raise GraphNotFound(f"unknown{kind.title()}")
        page = self._calls.good(said, GROUPS_PERMISSION)
        link = page.get("@odata.nextLink")
        following = self._calls.own(link) if isinstance(link, str) and link else ""
        return [account for account in read_accounts(page) if account.enabled], following

    async def _group_id(self, tenant: str, kind: str, name: str) -> str:
        found: list[str] = []
        if query := group_query(name):
            page = self._calls.good(await self._calls.ask(tenant, "GET", query), GROUPS_PERMISSION)
            found = read_ids(page)
        if len(found) != 1:
            raise GraphNotFound(f"{'ambiguous' if found else 'unknown'}{kind.title()}")
        return found[0]

    async def install(self, tenant: str, user: str, teams_app_id: str) -> None:
        """Install a Teams app for a person, by object id; it may be there already.

        `teams_app_id` is the app's id in the tenant's catalogue, which is not the one in its manifest.
        """
        app = f"{self._calls.url}/appCatalogs/teamsApps/{quote(teams_app_id, safe='')}"
        path = f"/users/{quote(user, safe='')}/teamwork/installedApps"
        said = await self._calls.ask(tenant, "POST", path, {"teamsApp@odata.bind": app})
        if said.status != _CONFLICT:
            self._calls.good(said, INSTALL_PERMISSION)
