"""Rows in Table Storage: what is written comes back, by us and by the SDKs, and conflicts are told apart."""

import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proactive.store.account import Account, Row, quoted
from proactive.store.errors import Conflict, Stale, StorageAway

VALUES: Row = {
    "text": "Zoë 'quoted' \"twice\" \\ <&> \u2028 😀",
    "empty": "",
    "date": "2026-12-01T08:00:00Z",
    "number": "4711",
    "yes": True,
    "no": False,
    "zero": 0,
    "small": -(2**31),
    "large": 2**31 - 1,
    "whole": 1.0,
    "nothing": 0.0,
    "moment": 1764576000.123456,
    "tiny": 5e-324,
    "huge": 1.7e308,
    "endless": float("inf"),
    "minus": float("-inf"),
    "blob": bytes(range(256)),
    "no_blob": b"",
}
LONG: Row = {"long": 2**31, "longer": -(2**63), "longest": 2**63 - 1}
KEYS = [
    "bot|tenant|p00",
    "O'Hara ''s",
    "100%",
    "%27 %2F%",
    "a+b&c=d",
    "29:1xY_-z@thread.tacv2;messageid=1",
    "Zoë 😀",
    "a,b)(c!$*",
    "=3D..",
    " ",
]


def partition() -> str:
    return uuid.uuid4().hex


def key(row: str = "r", **properties: Any) -> Row:
    return {"PartitionKey": properties.pop("at", None) or partition(), "RowKey": row, **properties}


def same(found: Row | None, row: Row) -> None:
    """Check values and types, since 1, 1.0 and True are equal."""
    assert found is not None
    assert found.pop("etag").startswith('W/"')
    assert found == row
    assert {name: type(value) for name, value in found.items()} == {name: type(value) for name, value in row.items()}


# --- types


async def test_a_row_comes_back_as_it_was_written(account: Account) -> None:
    row = key(**VALUES, **LONG)
    await account.insert("sends", row)

    same(await account.get("sends", row["PartitionKey"], "r"), row)
    (found,) = await account.rows("sends", f"PartitionKey eq {quoted(row['PartitionKey'])}")
    same(found, row)


async def test_a_property_that_is_none_is_not_written(account: Account) -> None:
    row = key(name="x", gone=None)
    await account.upsert("sends", row)
    del row["gone"]
    same(await account.get("sends", row["PartitionKey"], "r"), row)


@pytest.mark.parametrize("value", [["list"], {"a": 1}, object()])
async def test_what_a_row_does_not_hold_is_refused(account: Account, value: Any) -> None:
    with pytest.raises(TypeError, match="odd"):
        await account.insert("sends", key(odd=value))


async def test_not_a_number_stays_one(account: Account) -> None:
    row = key(odd=float("nan"))
    await account.insert("sends", row)
    found = await account.get("sends", row["PartitionKey"], "r")
    assert found
    assert found["odd"] != found["odd"]


async def test_rows_of_the_former_version_are_read_as_it_read_them(account: Account, sdk: Any) -> None:
    # GIVEN a row that the SDK wrote
    row = key(**VALUES)
    await sdk.create_entity(row)
    # WHEN it is read THEN it is what the SDK reads
    same(await account.get("sends", row["PartitionKey"], "r"), row)
    assert dict(await sdk.get_entity(row["PartitionKey"], "r")) == row
    # AND its ETag serves to change it
    (found,) = await account.rows("sends", f"PartitionKey eq {quoted(row['PartitionKey'])}")
    await account.update("sends", key(at=row["PartitionKey"], zero=1), found["etag"], merge=True)


async def test_the_former_version_reads_our_rows(account: Account, sdk: Any) -> None:
    row = key(**VALUES)
    await account.insert("sends", row)

    found = dict(await sdk.get_entity(row["PartitionKey"], "r"))

    assert found == row
    assert {name: type(value) for name, value in found.items()} == {name: type(value) for name, value in row.items()}


@given(
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False)
        | st.binary(max_size=60)
        | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30),
    )
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_row_comes_back(account: Account, properties: Row) -> None:
    row = key(**properties)
    await account.insert("sends", row)
    same(await account.get("sends", row["PartitionKey"], "r"), row)


# --- keys


@pytest.mark.parametrize("name", KEYS)
async def test_a_row_is_found_under_any_key(account: Account, name: str) -> None:
    at = f"{partition()}{name}"
    row = key(name, at=at, n=1)
    await account.insert("sends", row)
    etag = await account.update("sends", {**row, "n": 2}, (await account.get("sends", at, name) or {})["etag"])
    await account.transaction("sends", [("update", key(name, at=at, m=3), etag), ("insert", key(f"{name}2", at=at))])
    await account.transaction("sends", [("touch", key(name, at=at)), ("delete", key(f"{name}2", at=at))])

    query = f"PartitionKey eq {quoted(at)} and RowKey eq {quoted(name)}"
    (found,) = await account.rows("sends", query)
    same(found, {**row, "n": 2, "m": 3})
    await account.delete("sends", at, name)
    assert await account.get("sends", at, name) is None


# --- one row


async def test_a_row_that_is_not_there_is_none(account: Account) -> None:
    assert await account.get("sends", partition(), "r") is None


async def test_only_what_is_selected_is_read(account: Account) -> None:
    row = key(a=1, b=2)
    etag = await account.insert("sends", row)
    found = await account.get("sends", row["PartitionKey"], "r", ("a", "missing"))
    assert found
    assert (found["a"], found.get("missing"), found["etag"], "b" in found) == (1, None, etag, False)


async def test_a_row_is_inserted_once(account: Account) -> None:
    row = key(n=1)
    etag = await account.insert("sends", row)
    with pytest.raises(Conflict):
        await account.insert("sends", {**row, "n": 2})
    assert await account.get("sends", row["PartitionKey"], "r") == {**row, "etag": etag}


async def test_an_upsert_replaces_whatever_stands_there(account: Account) -> None:
    row = key(n=1)
    await account.upsert("sends", row)
    await account.upsert("sends", key(at=row["PartitionKey"], m=2))
    same(await account.get("sends", row["PartitionKey"], "r"), key(at=row["PartitionKey"], m=2))


@pytest.mark.parametrize(("merge", "left"), [(True, {"n": 1, "m": 2}), (False, {"m": 2})])
async def test_an_update_needs_the_etag_and_gives_the_next(account: Account, merge: bool, left: Row) -> None:
    row = key(n=1)
    first = await account.insert("sends", row)
    change = key(at=row["PartitionKey"], m=2)

    second = await account.update("sends", change, first, merge=merge)

    assert await account.get("sends", row["PartitionKey"], "r") == {
        **key(at=row["PartitionKey"]),
        **left,
        "etag": second,
    }
    with pytest.raises(Stale):
        await account.update("sends", change, first, merge=merge)
    await account.delete("sends", row["PartitionKey"], "r")
    with pytest.raises(Stale):
        await account.update("sends", change, second, merge=merge)


async def test_removing_twice_is_fine(account: Account) -> None:
    row = key()
    await account.insert("sends", row)
    await account.delete("sends", row["PartitionKey"], "r")
    await account.delete("sends", row["PartitionKey"], "r")


# --- transactions


async def test_a_transaction_does_all_and_returns_the_etags_in_order(account: Account) -> None:
    at = partition()
    etag = await account.insert("sends", key("update", at=at, n=1))
    for name in ("touch", "delete"):
        await account.insert("sends", key(name, at=at, n=1))

    etags = await account.transaction(
        "sends",
        [
            ("insert", key("insert", at=at, blob=b"x" * 30_000, text="HTTP/1.1 500\r\n--changes--\r\n", at_=1.0)),
            ("update", key("update", at=at, m=2), etag),
            ("delete", key("delete", at=at)),
            ("touch", key("touch", at=at, m=2)),
        ],
    )

    rows = {row["RowKey"]: row for row in await account.rows("sends", f"PartitionKey eq {quoted(at)}")}
    assert etags == [rows["insert"]["etag"], rows["update"]["etag"], "", rows["touch"]["etag"]]
    assert {name: (row.get("n"), row.get("m")) for name, row in rows.items()} == {
        "insert": (None, None), "update": (1, 2), "touch": (1, 2),
    }  # fmt: skip
    assert rows["insert"]["blob"] == b"x" * 30_000


async def test_a_hundred_changes_are_one_transaction(account: Account) -> None:
    at = partition()
    etags = await account.transaction("sends", [("insert", key(f"{n:03}", at=at)) for n in range(100)])
    assert etags == [row["etag"] for row in await account.rows("sends", f"PartitionKey eq {quoted(at)}")]


async def test_a_transaction_may_be_as_large_as_storage_takes_it(account: Account) -> None:
    at, parts = partition(), {f"p{n}": b"x" * 65_536 for n in range(10)}
    await account.transaction("sends", [("insert", key(str(n), at=at, **parts)) for n in range(4)])
    assert [len(row) for row in await account.rows("sends", f"PartitionKey eq {quoted(at)}")] == [13] * 4


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda at, _: ("insert", key("there", at=at)), Conflict),
        (lambda at, old: ("update", key("there", at=at, n=2), old), Stale),
        (lambda at, old: ("update", key("gone", at=at), old), Stale),
        (lambda at, _: ("touch", key("gone", at=at)), Stale),
        (lambda at, _: ("delete", key("gone", at=at)), Stale),
        (lambda at, _: ("insert", key("first", at=at)), StorageAway),
    ],
    ids=["insert what is there", "stale", "update nothing", "touch nothing", "remove nothing", "one row twice"],
)
async def test_a_failing_change_leaves_all_undone(account: Account, change: Any, error: type[Exception]) -> None:
    # GIVEN a row that was changed since its ETag was read
    at = partition()
    old = await account.insert("sends", key("there", at=at, n=1))
    await account.upsert("sends", key("there", at=at, n=9))
    # WHEN one change of three fails
    with pytest.raises(error):
        await account.transaction(
            "sends", [("insert", key("first", at=at)), change(at, old), ("insert", key("last", at=at))]
        )
    # THEN none of them was done
    assert [row["RowKey"] for row in await account.rows("sends", f"PartitionKey eq {quoted(at)}")] == ["there"]


# --- pages


async def test_pages_go_on_where_the_last_one_ended(account: Account) -> None:
    at = f"{partition()}|Zoë '+%"
    await account.transaction("sends", [("insert", key(f"{n:03}|ë", at=at, n=n, m=0)) for n in range(25)])
    query = f"PartitionKey eq {quoted(at)} and n ge 3"

    seen = [(rows, after) async for rows, after in account.pages("sends", query, select=("n",), top=10)]

    assert [[row["n"] for row in rows] for rows, _ in seen] == [[*range(3, 13)], [*range(13, 23)], [23, 24]]
    assert seen[-1][1] is None
    assert not any("m" in row for rows, _ in seen for row in rows)
    # AND what a page told serves to go on later
    rows, _ = await anext(account.pages("sends", query, top=10, after=seen[0][1]))
    assert [row["n"] for row in rows] == [*range(13, 23)]


async def test_nothing_that_fits_is_one_empty_page(account: Account) -> None:
    query = f"PartitionKey eq {quoted(partition())}"
    assert [page async for page in account.pages("sends", query)] == [([], None)]
