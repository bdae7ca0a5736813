"""Storage that fails: what passes is tried again, what does not is told at once, and no secret is told at all."""

import asyncio
import logging
import traceback
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from azure.core.exceptions import ClientAuthenticationError
from azure.data.tables.aio import TableServiceClient

from proactive.settings import StorageAccount
from proactive.store import rest
from proactive.store.account import Account, QueueReceipt
from proactive.store.errors import Conflict, InDoubt, Stale, StorageAway
from tests.store.conftest import Failing

ROW = {"PartitionKey": "p", "RowKey": "r", "n": 1}
SECRET = "c2VjcmV0LXNpZ25hdHVyZQ"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "_PAUSE", 0.001)


def fault(status: int, code: str = "", **headers: str) -> web.Response:
    body = {"odata.error": {"code": code, "message": {"lang": "en", "value": f"secret body {SECRET}"}}}
    return web.json_response(body if code else {}, status=status, headers=headers)


class Identity:
    """A credential whose tokens are numbered; none when `tokens` is 0."""

    def __init__(self, tokens: int = 9) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.tokens = tokens

    async def get_token(self, *scopes: str) -> Any:
        self.asked.append(scopes)
        if len(self.asked) > self.tokens:
            raise ClientAuthenticationError("no token")
        return SimpleNamespace(token=f"{SECRET}{len(self.asked)}")


# --- what passes


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_what_passes_is_tried_again_with_the_same_request(away: Account, failing: Failing, status: int) -> None:
    failing.answers = [fault(status), fault(status, "ServerBusy"), fault(status)]
    assert await away.insert("sends", ROW) == "new"
    assert len({(method, path, body) for method, path, _, body in failing.got}) == 1
    assert len(failing.got) == 4


async def test_what_does_not_pass_soon_is_away(away: Account, failing: Failing) -> None:
    failing.answers = [fault(503, "ServerBusy") for _ in range(9)]
    with pytest.raises(StorageAway, match="503 ServerBusy"):
        await away.upsert("sends", ROW)
    assert len(failing.got) == 4


@pytest.mark.parametrize(
    "call",
    [
        lambda account: account.get("sends", "p", "r"),
        lambda account: account.insert("sends", ROW),
        lambda account: account.update("sends", ROW, "old", merge=True),
        lambda account: account.put("lanes", "x"),
        lambda account: account.transaction("sends", [("insert", ROW)]),
    ],
    ids=["get", "insert", "merge", "put", "transaction"],
)
async def test_a_dropped_connection_is_made_again_whatever_was_asked(
    away: Account, failing: Failing, call: Any
) -> None:
    # GIVEN a connection that was used before and is dropped when it is to be used again
    await away.upsert("sends", ROW)
    failing.answers = [None] * 8
    with pytest.raises(StorageAway, match=r"storage did not answer: \w+"):
        await call(away)
    assert len(failing.got) == 5


async def test_a_first_drop_costs_no_pause(away: Account, failing: Failing, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await real(0)

    await away.upsert("sends", ROW)
    monkeypatch.setattr(rest, "asyncio", SimpleNamespace(sleep=sleep, Lock=asyncio.Lock))
    failing.answers = [None]
    assert await away.insert("sends", ROW) == "new"
    assert pauses == []
    failing.answers = [None, None, None]
    assert await away.insert("sends", ROW) == "new"
    assert len(pauses) == 2


async def test_retry_after_is_obeyed_within_reason(
    away: Account, failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(rest, "asyncio", SimpleNamespace(sleep=sleep, Lock=asyncio.Lock))
    failing.answers = [fault(503, **{"Retry-After": asked}) for asked in ("2", "3600", "Wed, 21 Oct 2026 07:28:00 GMT")]
    await away.upsert("sends", ROW)
    assert pauses[:2] == [2, 5]
    assert 0 < pauses[2] < 1


async def test_storage_that_is_not_there_is_away() -> None:
    text = "AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1;QueueEndpoint=http://127.0.0.1:1"
    account = Account(StorageAccount(connection_string=text))
    with pytest.raises(StorageAway, match="ClientConnectorError"):
        await account.get("sends", "p", "r")
    assert await account.postpone(QueueReceipt("timers", "1", "x"), 1) is None
    await account.take_back(QueueReceipt("timers", "1", "x"))
    await account.close()


async def test_a_try_has_its_time(failing: Failing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "_TOTAL", 0.05)
    failing.delay = 30
    account = Account(StorageAccount(table_url=failing.url, queue_url=failing.url), Identity())
    with pytest.raises(StorageAway, match="TimeoutError"):
        await account.get("sends", "p", "r")
    assert len(failing.got) == 2, "a flow that waits for an answer gives up after 120 s"
    await account.close()


@pytest.mark.parametrize(
    ("first", "status", "error"),
    [
        (None, 409, InDoubt),
        (None, 412, InDoubt),
        (500, 412, InDoubt),
        (504, 409, InDoubt),
        (503, 409, Conflict),
        (429, 412, Stale),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        lambda account: account.insert("sends", ROW),
        lambda account: account.update("sends", ROW, "old"),
        lambda account: account.update("sends", ROW, "old", merge=True),
        lambda account: account.transaction("sends", [("insert", ROW)]),
    ],
    ids=["insert", "replace", "merge", "transaction"],
)
async def test_a_conflict_with_what_may_be_the_own_first_try_is_in_doubt(
    away: Account, failing: Failing, call: Any, first: int | None, status: int, error: type[Exception]
) -> None:
    await away.upsert("sends", ROW)  # the connection was used before: aiohttp must not repeat in silence
    failing.answers = [fault(first) if first else None, fault(status)]
    with pytest.raises(error):
        await call(away)
    assert len(failing.got) == 3


async def test_a_removal_that_is_repeated_is_done(away: Account, failing: Failing) -> None:
    failing.answers = [None, fault(404, "ResourceNotFound")]
    await away.delete("sends", "p", "r")


# --- what does not


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "InvalidInput", StorageAway),
        (401, "NoAuthenticationInformation", StorageAway),
        (403, "AuthenticationFailed", StorageAway),
        (302, "", StorageAway),
        (404, "EntityNotFound", Stale),
        (409, "EntityAlreadyExists", Conflict),
        (409, "", Conflict),
        (409, "TableBeingDeleted", StorageAway),
        (412, "UpdateConditionNotSatisfied", Stale),
        (413, "RequestBodyTooLarge", StorageAway),
    ],
)
async def test_an_answer_is_told_in_our_words_and_not_asked_for_again(
    away: Account, failing: Failing, status: int, code: str, error: type[Exception]
) -> None:
    failing.answers = [fault(status, code, Location=f"{failing.url}/elsewhere")]
    with pytest.raises(error) as caught:
        await away.update("sends", ROW, "old")
    assert len(failing.got) == 1
    if error is StorageAway:
        assert str(caught.value) == f"storage answered {status} {code}".rstrip()


async def test_the_code_of_a_queue_is_read_as_well(away: Account, failing: Failing) -> None:
    xml = '<?xml version="1.0"?><Error><Code>AuthorizationFailure</Code><Message>secret</Message></Error>'
    failing.answers = [
        web.Response(status=403, text=xml),
        web.Response(status=403, headers={"x-ms-error-code": "Other"}),
    ]
    with pytest.raises(StorageAway, match=r"^storage answered 403 AuthorizationFailure$"):
        await away.put("lanes", "x")
    with pytest.raises(StorageAway, match=r"^storage answered 403 Other$"):
        await away.put("lanes", "x")


@pytest.mark.parametrize(
    ("part", "error", "asked"),
    [
        ("409 Conflict\r\n\r\n{}", Conflict, 1),
        ("412 Precondition Failed\r\n\r\n{}", Stale, 1),
        ("503 Busy\r\n\r\n" + '{"odata.error":{"code":"ServerBusy","message":{"value":"0:x"}}}', StorageAway, 4),
        ("204 No Content\r\nETag: a\r\n\r\n", StorageAway, 1),  # one answer for two changes
    ],
)
async def test_a_change_that_fails_inside_a_transaction_counts(
    away: Account, failing: Failing, part: str, error: type[Exception], asked: int
) -> None:
    body = f"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nHTTP/1.1 {part}\r\n--c--\r\n--b--\r\n"
    failing.answers = [web.Response(status=202, text=body) for _ in range(asked)]
    with pytest.raises(error):
        await away.transaction("sends", [("insert", ROW), ("touch", ROW)])
    assert len(failing.got) == asked


@pytest.mark.parametrize("text", ["", "<html>a proxy</html>", "[]", "{"])
async def test_an_answer_that_nobody_can_read_is_no_answer(away: Account, failing: Failing, text: str) -> None:
    failing.answers = [web.Response(text=text, headers={"ETag": "x"}) for _ in range(4)]
    with pytest.raises(StorageAway, match="nobody can read"):
        await away.get("sends", "p", "r")
    with pytest.raises(StorageAway, match="nobody can read"):
        await away.rows("sends", "n eq 1")
    with pytest.raises(StorageAway, match="nobody can read"):
        await away.put("lanes", "x")
    failing.answers = [web.Response(status=204)]
    with pytest.raises(StorageAway, match="nobody can read"):
        await away.insert("sends", ROW)


# --- who we are


async def test_a_key_signs_as_the_sdk_does(away: Account, failing: Failing) -> None:
    text = f"DefaultEndpointsProtocol=http;AccountName=orders;AccountKey=a2V5;TableEndpoint={failing.url}"
    keys = [("a|b", "O'Hara ''s"), ("100% %27", "a+b&c=d"), ("29:1x@y;z=1", "Zoë 😀"), ("a,b)(c!$*", "..")]
    async with TableServiceClient.from_connection_string(text, retry_total=0) as service:
        for partition, row in keys:
            theirs: dict[str, str] = {"x-ms-date": "never"}
            ours: dict[str, str] = {}
            while ours.get("x-ms-date") != theirs["x-ms-date"]:  # a signature is that of a second
                failing.got.clear()
                await away.delete("sends", partition, row)
                await service.get_table_client("sends").delete_entity(partition, row)
                (_, our_path, ours, _), (_, their_path, theirs, _) = failing.got
            assert our_path == their_path
            assert ours["Authorization"] == theirs["Authorization"]


async def test_an_identity_shows_its_token_anew_with_each_try(failing: Failing) -> None:
    identity = Identity()
    account = Account(StorageAccount(queue_url=failing.url, table_url=f"{failing.url}/"), identity)
    failing.answers = [fault(503)]
    await account.upsert("sends", ROW)
    await account.take_back(QueueReceipt("timers", "a b", "p+/="))
    assert identity.asked == [("https://storage.azure.com/.default",)] * 3
    assert [headers["Authorization"] for _, _, headers, _ in failing.got] == [f"Bearer {SECRET}{n}" for n in (1, 2, 3)]
    assert [path for _, path, _, _ in failing.got[1:]] == [
        "/sends(PartitionKey='p',RowKey='r')",
        "/timers/messages/a%20b?popreceipt=p%2B%2F%3D",
    ]
    assert all(headers["x-ms-version"] and headers["x-ms-date"] for _, _, headers, _ in failing.got)
    await account.close()


async def test_without_a_token_nothing_is_asked(failing: Failing) -> None:
    account = Account(StorageAccount(queue_url=failing.url, table_url=failing.url), Identity(tokens=0))
    with pytest.raises(StorageAway, match="ClientAuthenticationError"):
        await account.upsert("sends", ROW)
    assert failing.got == []
    await account.close()


async def test_a_shared_access_signature_goes_with_every_address_and_nowhere_else(
    failing: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    signature = f"?sv=2021-12-02&sig={SECRET}%3D"
    text = f"TableEndpoint={failing.url};QueueEndpoint={failing.url};SharedAccessSignature={signature}"
    account = Account(StorageAccount(connection_string=text), Identity())
    await account.upsert("sends", ROW)
    await account.take_back(QueueReceipt("timers", "1", "x"))
    assert [path for _, path, _, _ in failing.got] == [
        f"/sends(PartitionKey='p',RowKey='r'){signature}",
        f"/timers/messages/1?popreceipt=x&{signature[1:]}",
    ]
    assert not any("Authorization" in headers for _, _, headers, _ in failing.got)
    # AND no error shows it
    for answers in ([fault(403, "AuthenticationFailed")], [None] * 8, [web.Response(text="{")]):
        failing.answers = list(answers)
        with caplog.at_level(logging.DEBUG), pytest.raises(StorageAway) as caught:
            await account.get("sends", "p", "r")
        assert SECRET not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__cause__ is None or SECRET not in str(caught.value.__cause__)
    assert not any(SECRET in record.getMessage() for record in caplog.records if record.name != "aiohttp.access")
    await account.close()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("AccountName=a;AccountKey=a2V5", "https://a.table.core.windows.net"),
        ("AccountName=a;AccountKey=a2V5;EndpointSuffix=core.chinacloudapi.cn", "https://a.table.core.chinacloudapi.cn"),
        ("DefaultEndpointsProtocol=http;accountname=a;AccountKey=a2V5;", "http://a.table.core.windows.net"),
        ("AccountName=a;AccountKey=a2V5;TableEndpoint=https://t.contoso.com/", "https://t.contoso.com"),
        ("SharedAccessSignature=sv=1&sig=x;TableEndpoint=https://t.contoso.com", "https://t.contoso.com"),
    ],
)
def test_a_connection_string_tells_where_storage_is(text: str, address: str) -> None:
    assert Account(StorageAccount(connection_string=text))._line().address("table") == address


async def test_a_key_that_is_none_is_told_without_quoting_it() -> None:
    account = Account(StorageAccount(connection_string=f"AccountName=a;AccountKey={SECRET}x"))
    with pytest.raises(StorageAway, match="AccountKey") as caught:
        await account.get("sends", "p", "r")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
