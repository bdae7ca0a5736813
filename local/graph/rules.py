"""What Graph answers: its operations, the permissions that each takes, and its pages."""

import base64
import json
import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

from local.graph.errors import JSON, Answer, refuse
from local.graph.faults import Kind
from local.graph.organisation import GraphGroup, Organisation, TeamsApp, User
from local.graph.query import any_of, read_filter

_READ_PEOPLE = ("User.ReadBasic.All", "User.Read.All", "Directory.Read.All")
_READ_MORE_OF_PEOPLE = ("User.Read.All", "Directory.Read.All")
_READ_GROUPS = ("GroupMember.Read.All", "Group.Read.All", "Directory.Read.All")
_READ_INSTALLED = (
    "TeamsAppInstallation.ReadForUser.All",
    "TeamsAppInstallation.ReadWriteSelfForUser.All",
    "TeamsAppInstallation.ReadWriteForUser.All",
)
# Any one of them will do. Source: the tables "Permissions" of Microsoft Learn's Graph reference.
PERMISSIONS: dict[Kind, tuple[str, ...]] = {
    "user": _READ_PEOPLE,
    "users": _READ_PEOPLE,
    "groups": _READ_GROUPS,
    "group": _READ_GROUPS,
    "members": _READ_GROUPS,
    "team": ("TeamMember.Read.All", "TeamMember.ReadWrite.All"),
    "install": _READ_INSTALLED[1:],
    "installed": _READ_INSTALLED,
    "chat": _READ_INSTALLED,
}
_DEFAULT_FIELDS = ("id", "displayName", "mail", "userPrincipalName")
_PAGE = 100
_LARGEST_PAGE = 999
_BIND = re.compile(r"https?://[^/]+/v1\.0/appCatalogs/teamsApps/([^/]+)")

_ROUTES: tuple[tuple[Kind, str, re.Pattern[str]], ...] = (
    ("users", "GET", re.compile(r"/users")),
    ("user", "GET", re.compile(r"/users/(?P<id>[^/]+)")),
    ("groups", "GET", re.compile(r"/groups")),
    ("group", "GET", re.compile(r"/groups/(?P<id>[^/]+)")),
    ("members", "GET", re.compile(r"/groups/(?P<id>[^/]+)/transitiveMembers/microsoft\.graph\.user")),
    ("team", "GET", re.compile(r"/teams/(?P<id>[^/]+)/members")),
    ("install", "POST", re.compile(r"/users/(?P<id>[^/]+)/teamwork/installedApps")),
    ("installed", "GET", re.compile(r"/users/(?P<id>[^/]+)/teamwork/installedApps")),
    ("chat", "GET", re.compile(r"/users/(?P<id>[^/]+)/teamwork/installedApps/(?P<installation>[^/]+)/chat")),
)


class Asked(NamedTuple):
    """A request to one operation. `base` is the address up to the version, `query` the decoded one."""

    kind: Kind
    base: str
    path: str
    ids: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: JSON


class Installed(NamedTuple):
    """Somebody has got an app just now."""

    user: User
    app: TeamsApp


def route(method: str, path: str) -> tuple[Kind, Mapping[str, str]] | None:
    """Return which operation a decoded path below the version means, and the ids in it."""
    for kind, expected, pattern in _ROUTES:
        match = pattern.fullmatch(path)
        if match and method == expected:
            return kind, match.groupdict()
    return None


class Rules:
    """Answers for the organisations.

    `granted` are the app's permissions (None: all) and `repeats` is that of `people_of`. Links to further pages lead to
    `links_to` instead of back here, where that is set.
    """

    def __init__(self, *, granted: Collection[str] | None, repeats: bool) -> None:
        self.granted = granted
        self.repeats = repeats
        self.links_to = ""
        self._pages_from = 0

    def expire_cursors(self) -> None:
        """Let every page token that was given be too old."""
        self._pages_from += 1

    def perform(self, organisation: Organisation, asked: Asked) -> tuple[Answer, Installed | None]:
        """Return the answer to a request, and who has got which app by it."""
        if not self._may(PERMISSIONS[asked.kind]):
            return self._denied(asked.kind), None
        match asked.kind:
            case "user":
                return self._user(organisation, asked), None
            case "users":
                return self._users(organisation, asked), None
            case "groups":
                return self._groups(organisation, asked), None
            case "install":
                return self._install(organisation, asked)
            case "installed":
                return self._installed(organisation, asked), None
            case "chat":
                return self._chat(organisation, asked), None
        group = organisation.groups.get(asked.ids["id"].lower())
        if group is None or (asked.kind == "team" and not group.team):
            return _missing(asked.ids["id"]), None
        if asked.kind == "group":
            return Answer(200, _group(group)), None
        return self._members(organisation, group, asked), None

    def _may(self, any_one: Collection[str]) -> bool:
        return self.granted is None or not set(self.granted).isdisjoint(any_one)

    def _denied(self, kind: Kind) -> Answer:
        if kind not in ("install", "installed", "chat"):
            return refuse("Authorization_RequestDenied")
        needed, there = ", ".join(PERMISSIONS[kind]), ", ".join(sorted(self.granted or ()))
        words = (
            f"Missing role permissions on the request. API requires one of '{needed}'. Roles on the request '{there}'."
        )
        return refuse("Forbidden", words)

    # People

    def _user(self, organisation: Organisation, asked: Asked) -> Answer:
        user = organisation.user(asked.ids["id"])
        if user is None:
            return _missing(asked.ids["id"])
        return Answer(200, self._fields(user, asked.query))

    def _users(self, organisation: Organisation, asked: Asked) -> Answer:
        def find(field: str, text: str) -> list[User]:
            return organisation.index(field).get(text, []) if field else list(organisation.users.values())

        try:
            found = any_of(read_filter(asked.query["$filter"]), find) if "$filter" in asked.query else find("", "")
        except (KeyError, ValueError):
            return refuse("Request_BadRequest")
        top = _top(asked.query)
        if top is None:
            return refuse("Request_UnsupportedQuery", "Invalid page size specified.")
        return Answer(200, {"value": [self._fields(user, asked.query) for user in found[:top]]})

    def _fields(self, user: User, query: Mapping[str, str]) -> JSON:
        known: JSON = {
            "id": user.id,
            "displayName": user.name,
            "mail": user.mail or None,
            "userPrincipalName": user.upn,
            "accountEnabled": user.enabled,
            "userType": "Guest" if user.guest else "Member",
        }
        if not self._may(_READ_MORE_OF_PEOPLE):
            known |= {"accountEnabled": None, "userType": None}
        if not self._may(_READ_PEOPLE):
            known = dict.fromkeys(known) | {"id": user.id}
        wanted = query["$select"].split(",") if "$select" in query else _DEFAULT_FIELDS
        return {name: known.get(name) for name in wanted}

    # Groups and teams

    def _groups(self, organisation: Organisation, asked: Asked) -> Answer:
        def find(field: str, text: str) -> list[GraphGroup]:
            everything = list(organisation.groups.values())
            attribute = {"": "", "mail": "mail", "displayName": "name"}[field]
            return [group for group in everything if not field or getattr(group, attribute).casefold() == text]

        try:
            found = any_of(read_filter(asked.query.get("$filter", "1 eq 1")), find)
        except (KeyError, ValueError):
            return refuse("Request_BadRequest")
        return Answer(200, {"value": [_group(group) for group in found[: _top(asked.query)]]})

    def _members(self, organisation: Organisation, group: GraphGroup, asked: Asked) -> Answer:
        query = asked.query
        top = _top(query)
        if top is None:
            return refuse("Request_UnsupportedQuery", "Invalid page size specified.")
        counted = query.get("$count") == "true" and asked.headers.get("consistencylevel", "").lower() == "eventual"
        if asked.kind == "members" and not counted:
            return refuse("Request_UnsupportedQuery", "A cast needs $count=true and the header ConsistencyLevel.")
        start = 0
        if "$skiptoken" in query:
            generation, start = _read_token(query["$skiptoken"])
            if generation != self._pages_from:
                return refuse("Directory_ExpiredPageToken")
        everybody = list(organisation.people_of(group, repeats=self.repeats and asked.kind == "members"))
        page = everybody[start : start + top]
        body: JSON = {"value": [self._fields(u, query) if asked.kind == "members" else _member(u) for u in page]}
        if "$count" in query and not start:
            body["@odata.count"] = len(everybody)
        if start + top < len(everybody):
            token = _write_token(self._pages_from, start + top)
            kept = {**query, "$skiptoken": token}
            text = "&".join(f"{name}={quote(value, safe=',')}" for name, value in kept.items())
            body["@odata.nextLink"] = f"{self.links_to or asked.base}{asked.path}?{text}"
        return Answer(200, body)

    # Apps

    def _install(self, organisation: Organisation, asked: Asked) -> tuple[Answer, Installed | None]:
        user = organisation.user(asked.ids["id"])
        bind = _BIND.fullmatch(str(asked.body.get("teamsApp@odata.bind")))
        if bind is None:
            return refuse("BadRequest", "Bad or missing teamsApp@odata.bind."), None
        app = organisation.apps.get(bind[1])
        if user is None:
            return refuse("NotFound", "The user was not found."), None
        if app is None:
            return refuse("NotFound", f"The definition of the app with id '{bind[1]}' was not found."), None
        if user.id in organisation.blocked:
            words = f"App is blocked by app permission policy. UserObjectId: {user.id}, AppId: {app.manifest_id}"
            return refuse("Forbidden", words, inner="AccessDenied"), None
        if (user.id, app.id) in organisation.installed:
            return refuse("Conflict"), None
        organisation.installed[user.id, app.id] = _installation(user, app)
        return Answer(201), Installed(user, app)

    def _installed(self, organisation: Organisation, asked: Asked) -> Answer:
        user = organisation.user(asked.ids["id"])
        if user is None:
            return refuse("NotFound", "The user was not found.")

        def find(field: str, text: str) -> list[TeamsApp]:
            return [app for app in here if not field or app.manifest_id.casefold() == text]

        here = [app for app in organisation.apps.values() if (user.id, app.id) in organisation.installed]
        try:
            comparisons = read_filter(asked.query.get("$filter", "1 eq 1"))
        except ValueError:
            return refuse("BadRequest")
        if any(field not in ("", "teamsApp/externalId") for field, _ in comparisons):
            return refuse("BadRequest")
        value = []
        for app in any_of(comparisons, find):
            entry: JSON = {"id": organisation.installed[user.id, app.id]}
            if asked.query.get("$expand") == "teamsApp":
                entry["teamsApp"] = {"id": app.id, "externalId": app.manifest_id, "distributionMethod": "organization"}
            value.append(entry)
        return Answer(200, {"value": value})

    def _chat(self, organisation: Organisation, asked: Asked) -> Answer:
        user = organisation.user(asked.ids["id"])
        for (user_id, app_id), installation in organisation.installed.items():
            if user is not None and user.id == user_id and installation == asked.ids["installation"]:
                chat = f"19:{user_id}_{organisation.apps[app_id].bot}@unq.gbl.spaces"
                return Answer(200, {"id": chat, "chatType": "oneOnOne"})
        return refuse("NotFound")


def _top(query: Mapping[str, str]) -> int | None:
    """Return the size of a page, None for one that Graph does not take."""
    text = query.get("$top", str(_PAGE))
    return int(text) if text.isdecimal() and 0 < int(text) <= _LARGEST_PAGE else None


def _missing(what: str) -> Answer:
    words = f"Resource '{what}' does not exist or one of its queried reference-property objects are not present."
    return refuse("Request_ResourceNotFound", words)


def _group(group: GraphGroup) -> JSON:
    return {"id": group.id, "displayName": group.name, "mail": group.mail or None}


def _member(user: User) -> JSON:
    return {"id": f"{user.id}-member", "userId": user.id, "displayName": user.name, "email": user.mail or None}


def _installation(user: User, app: TeamsApp) -> str:
    return base64.urlsafe_b64encode(uuid.uuid5(uuid.NAMESPACE_OID, f"{user.id}##{app.id}").bytes).decode()


def _write_token(generation: int, start: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([generation, start]).encode()).decode().rstrip("=")


def _read_token(text: str) -> Sequence[int]:
    try:
        generation, start = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return int(generation), int(start)
    except (ValueError, TypeError):
        return -1, 0
