"""Names as Microsoft Graph takes and gives them: what to ask for a name, whom an answer means, and what is remembered.

What looks like an address (`ada@contoso.com`) is looked up as one and never as a display name, which its owner may
choose: nobody gets another person's messages by calling themselves by that person's address.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

FOUND_KEPT = 600.0  # seconds for which a person who was found is not asked for again
MISSING_KEPT = 60.0  # seconds for a name that nobody has, or several people: somebody may be mending it
_MOST_KEPT = 10_000  # names

PERSON_FIELDS = "id,displayName,mail,userPrincipalName,accountEnabled,userType"
_CANDIDATES = 20  # of a name that several people have; who is beyond them changes nothing
_LONGEST_NAME = 320  # characters: more has neither an address nor a display name (256)
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12,13}", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


class Account(NamedTuple):
    """A person as the directory of a tenant has them. `id` is the Entra object id, in lower case.

    `enabled` is False for an account that may not sign in. Where the app may not read that, it is True.
    """

    id: str
    display_name: str = ""
    mail: str = ""
    principal_name: str = ""
    enabled: bool = True
    guest: bool = False


def is_object_id(name: str) -> bool:
    """Whether a name is an Entra object id."""
    return _ID.fullmatch(name) is not None


def person_query(kind: str, name: str) -> str | None:
    """Return the path that finds a person by a name, or None for what is nobody's name.

    `kind` is `user` (object id, principal name or mail) or `person` (a display name as well).
    """
    if is_object_id(name):
        return f"/users/{name}?$select={PERSON_FIELDS}"
    if len(name) > _LONGEST_NAME or not name.strip():
        return None
    if _ADDRESS.fullmatch(name):
        test = f"userPrincipalName eq {_literal(name)} or mail eq {_literal(name)}"
    elif kind == "person":
        test = f"displayName eq {_literal(name)}"
    else:
        return None
    return f"/users?$filter={quote(test, safe='', errors='replace')}&$select={PERSON_FIELDS}&$top={_CANDIDATES}"


def group_query(name: str) -> str | None:
    """Return the path that finds a group by its mail address or exact display name, or None for what is no name."""
    if len(name) > _LONGEST_NAME or not name.strip():
        return None
    test = f"{'mail' if _ADDRESS.fullmatch(name) else 'displayName'} eq {_literal(name)}"
    return f"/groups?$filter={quote(test, safe='', errors='replace')}&$select=id&$top=2"


def _literal(text: str) -> str:
    """Return a text as an OData string: quotes are doubled, and nothing else has a meaning in it."""
    return "'" + text.replace("'", "''") + "'"


def read_account(data: object) -> Account | None:
    """Return the person that Graph describes, None where it is nobody."""
    if not isinstance(data, Mapping) or not isinstance(data.get("id"), str):
        return None
    principal_name = _text(data, "userPrincipalName")
    return Account(
        data["id"].lower(),
        _text(data, "displayName"),
        _text(data, "mail"),
        principal_name,
        data.get("accountEnabled") is not False,
        data.get("userType") == "Guest" or "#EXT#" in principal_name.upper(),
    )


def read_accounts(data: Mapping[str, Any]) -> list[Account]:
    """Return the people on a page."""
    page = data.get("value")
    return [account for one in page if (account := read_account(one))] if isinstance(page, list) else []


def read_ids(data: Mapping[str, Any]) -> list[str]:
    """Return the ids of what is on a page."""
    page = data.get("value")
    ids = (one.get("id") for one in page if isinstance(one, Mapping)) if isinstance(page, list) else ()
    return [one for one in ids if isinstance(one, str) and is_object_id(one)]


def best(name: str, accounts: Iterable[Account]) -> list[Account]:
    """Return whom a name means: one, or several candidates where it is ambiguous.

    A principal name, which only one account can have, comes before a mail address. Whoever may not sign in is no
    candidate beside somebody who may: people leave, and others come who are called the same.
    """
    found = list({account.id: account for account in accounts}.values())
    owners = [account for account in found if account.principal_name.casefold() == name.casefold()]
    if owners:
        return owners
    return [account for account in found if account.enabled] or found


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


class Known:
    """What names were found to mean, for a while: the oldest go where there are too many."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str], tuple[float, list[Account]]] = {}

    def get(self, tenant: str, kind: str, name: str, now: float) -> list[Account] | None:
        """Return whom a name means in a tenant, None where that has to be asked. `now` is in seconds."""
        until, accounts = self._kept.get(_key(tenant, kind, name), (now, []))
        return accounts if now < until else None

    def put(self, tenant: str, kind: str, name: str, accounts: list[Account], now: float) -> None:
        """Remember whom a name means."""
        key = _key(tenant, kind, name)
        self._kept.pop(key, None)
        if len(self._kept) >= _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (now + (FOUND_KEPT if len(accounts) == 1 else MISSING_KEPT), accounts)


def _key(tenant: str, kind: str, name: str) -> tuple[str, str, str]:
    return tenant.lower(), kind, name.casefold()
