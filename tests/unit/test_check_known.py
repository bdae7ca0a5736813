"""What is made of an advisory database's answers: asked over HTTP, from one that stands on this machine."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local import check_known
from local.check_known import LOCK, ROOT, Known, OutOfReachError, ask, check, check_in_time, judge, pinned

CVE = "CVE-2030-1"
NO_HTTP = b"220 mail.example ESMTP\r\n"


def advisory(name: str, package: str, *events: dict[str, str], **more: Any) -> dict[str, Any]:
    affected = [
        {"package": {"name": package, "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    ]
    return {"id": name, "summary": "It leaks", "affected": affected, **more}


class Database(ThreadingHTTPServer):
    """A database that knows `advisories`, as OSV's API gives them: a page has one for each package."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.advisories: list[dict[str, Any]] = []
        self.instead: bytes | None = None
        self.asked: list[Any] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def answer(self, path: str, body: bytes) -> Any:
        if path.startswith("/v1/vulns/"):
            return next(each for each in self.advisories if each["id"] == path.rpartition("/")[2])
        assert path == "/v1/querybatch"
        self.asked.append(json.loads(body))
        return {"results": [self._page(query) for query in self.asked[-1]["queries"]]}

    def _page(self, query: dict[str, Any]) -> dict[str, Any]:
        name = query["package"]["name"]
        ids = [each["id"] for each in self.advisories if each["affected"][0]["package"]["name"].lower() == name]
        at = int(query.get("page_token", "0"))
        following = {"next_page_token": str(at + 1)} if at + 1 < len(ids) else {}
        return ({"vulns": [{"id": ids[at]}]} if ids else {}) | following


class Handler(BaseHTTPRequestHandler):
    server: Database

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        said = self.server.instead
        if said is None:
            said = json.dumps(self.server.answer(self.path, body)).encode()
        if said == NO_HTTP:
            self.wfile.write(said)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def database() -> Iterator[Database]:
    with Database() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_every_package_that_is_pinned_is_asked_for(database: Database) -> None:
    packages = pinned(ROOT / LOCK)

    assert ask(packages, database.address) == []
    (asked,) = database.asked
    assert {each["package"]["name"]: each["version"] for each in asked["queries"]} == packages
    assert {each["package"]["ecosystem"] for each in asked["queries"]} == {"PyPI"}
    assert pinned(ROOT / "requirements.txt").items() <= packages.items()
    assert len(packages) == sum(line[0].isalpha() for line in (ROOT / LOCK).read_text("utf-8").splitlines() if line)


def test_a_weakness_is_told_once_with_the_versions_that_mend_it(database: Database) -> None:
    """GIVEN two databases that tell the same WHEN asked THEN it is one, without the mends of older branches."""
    database.advisories = [
        advisory("GHSA-1", "Msal", {"introduced": "0"}, {"fixed": "1.0.1"}, aliases=[CVE]),
        advisory("PYSEC-1", "msal", {"introduced": "2.0"}, {"fixed": "2.10.0"}, aliases=["GHSA-1", CVE]),
        advisory("GHSA-2", "msal", {"introduced": "0"}, {"fixed": "9"}, withdrawn="2030-01-01T00:00:00Z"),
    ]

    (known,) = ask({"aiohttp": "1.0", "msal": "2.9.0"}, database.address)

    assert known == Known("msal", "2.9.0", (CVE, "PYSEC-1", "GHSA-1"), "It leaks", ("2.10.0",))
    assert str(known) == f"msal 2.9.0: {CVE}, mended in 2.10.0: It leaks"
    assert [len(each["queries"]) for each in database.asked] == [2, 1, 1]


@pytest.mark.parametrize(
    ("mended", "excused", "strict", "passes"),
    [
        (("2.0",), False, False, True),
        (("2.0",), False, True, False),
        (("2.0",), True, True, True),
        ((), False, True, True),
    ],
)
def test_for_make_audit_what_can_be_mended_fails_unless_it_is_excused(mended, excused, strict, passes) -> None:
    known = Known("msal", "1.0", (CVE, "GHSA-1"), "It leaks", mended)

    lines, passed = judge([known], {"GHSA-1": "we never parse"} if excused else {}, strict=strict)

    assert passed is passes
    (line,) = lines
    assert line.startswith("known" if passes else "FAILED")
    assert str(known) in line
    assert line.endswith(" (we never parse)") is excused


def test_one_that_fails_is_not_made_good_by_one_that_passes() -> None:
    found = [Known("msal", "1.0", (name,), "", mend) for name, mend in (("A", ("2.0",)), ("B", ()))]

    assert judge(found, {}, strict=True)[1] is False
    assert judge([], {}, strict=True) == ([], True)


def test_make_test_tells_and_make_audit_decides(database: Database, capsys) -> None:
    assert check(strict=True, address=database.address) is True
    assert capsys.readouterr().out.startswith("nothing is known of ")

    database.advisories = [advisory("GHSA-1", "msal", {"introduced": "0"}, {"fixed": "9999"})]
    assert check(strict=False, address=database.address) is True
    assert "known  msal " in capsys.readouterr().out
    assert check(strict=True, address=database.address) is False
    assert "FAILED  msal " in capsys.readouterr().out


def out_of_reach(database: Database, how: str) -> str:
    if how == "nobody listens":
        return "http://127.0.0.1:1/v1"
    database.instead = {
        "a sign-in page": b"<html>Sign in to this network</html>",
        "no HTTP": NO_HTTP,
        "another service": b'{"results": []}',
        "no details": b'{"results": [%s]}' % b", ".join([b'{"vulns": [{"id": "X"}]}'] * len(pinned(ROOT / LOCK))),
    }[how]
    return database.address


@pytest.mark.parametrize("how", ["nobody listens", "no HTTP", "a sign-in page", "another service", "no details"])
def test_without_an_answer_make_test_goes_on_and_make_audit_fails(database: Database, capsys, how) -> None:
    address = out_of_reach(database, how)

    assert check(strict=False, address=address) is True
    assert capsys.readouterr().out.startswith("skipped: no advisory database within reach (")
    assert check(strict=True, address=address) is False
    assert capsys.readouterr().out.startswith("FAILED: no advisory database within reach (")


def test_a_database_that_keeps_silent_is_given_up(database: Database) -> None:
    database.shutdown()  # connections are taken by the system, and nobody reads

    with pytest.raises(OutOfReachError):
        ask({"msal": "1.0"}, database.address, 0.05)


def test_make_test_waits_so_long_and_no_longer(capsys) -> None:
    assert check_in_time(0.001) is True
    assert capsys.readouterr().out.startswith("skipped: no advisory database answered within ")


def test_an_exception_has_a_reason() -> None:
    assert [name for name, reason in check_known.EXCEPTIONS.items() if len(reason.split()) < 4] == []
