"""The door of the operators' page: what it serves, how it lets it be kept, and what it lets a page do."""

import gzip
import hashlib
import re
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, cast

import azure.functions as func
import pytest

from proactive.doors import ui
from proactive.service import Service

ROOT = Path(__file__).parents[2]
RENDERER = "vendor/adaptivecards.min.js"


async def ask(
    path: str = "", *, method: str = "GET", headers: Mapping[str, str] | None = None, address: str = ""
) -> func.HttpResponse:
    """Ask the door as the host does: names of headers in lower case, the rest of the path as a parameter."""
    url = f"http://localhost:7071{address or f'/api/ui/{path}'.rstrip('/')}"
    request = func.HttpRequest(
        method, url, headers=dict(headers or {}), route_params={"path": path} if path else {}, body=b""
    )
    return await ui.door(cast(Service, None), request)


def versioned(name: str) -> str:
    return f"{ui.read().version}/{name}"


def policy(response: func.HttpResponse) -> dict[str, list[str]]:
    directives = (part.split() for part in response.headers["Content-Security-Policy"].split("; "))
    return {name: values for name, *values in directives}


async def test_the_page_is_asked_for_again_each_time_and_what_it_loads_is_kept_for_ever() -> None:
    page = await ask()
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert page.headers["Cache-Control"] == "no-cache"
    for name in ui.read().files:
        if name != "index.html":
            file = await ask(versioned(name))
            assert file.status_code == 200
            assert file.headers["Cache-Control"] == "public, max-age=31536000, immutable"


async def test_all_that_the_page_names_is_there_under_its_version() -> None:
    text = (await ask()).get_body().decode()
    named = re.findall(r'(?:href|src)="ui/([^"]+)"', text)
    assert named
    for path in named:
        assert path.startswith(f"{ui.read().version}/")
        assert (await ask(path)).status_code == 200
    assert ui._VERSION not in text


def test_all_that_the_modules_import_is_there() -> None:
    files = ui.read().files
    for name, file in files.items():
        if name.endswith(".js") and name != RENDERER:
            for imported in re.findall(r'(?:from|import\() ?"\./([^"]+)"', file.plain.decode()):
                assert imported in files, f"{name} imports {imported}"


def test_the_version_follows_the_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN the same files, and files of which one has changed
    versions = []
    for text in ("one", "one", "two"):
        folder = tmp_path / str(len(versions))
        folder.mkdir()
        (folder / "index.html").write_text("VERSION")
        (folder / "a.js").write_text(text)
        monkeypatch.setattr(ui, "FOLDER", folder)
        versions.append(ui.read.__wrapped__().version)
    # THEN only the change makes another version
    assert versions[0] == versions[1] != versions[2]


async def test_a_page_of_another_version_gets_what_is_there_but_may_not_keep_it() -> None:
    other = await ask("0123456789abcdef/app.js")
    assert other.status_code == 200
    assert other.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["", "app.js"])
async def test_what_a_browser_has_already_is_not_sent_again(name: str) -> None:
    path = versioned(name) if name else ""
    for accepted in ("gzip", "identity"):
        first = await ask(path, headers={"accept-encoding": accepted})
        etag = first.headers["ETag"]
        for sent in (etag, f"W/{etag}", f'"x", {etag}', "*"):
            again = await ask(path, headers={"accept-encoding": accepted, "if-none-match": sent})
            assert (again.status_code, again.get_body()) == (304, b"")
            assert again.headers["ETag"] == etag
            assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
        assert (await ask(path, headers={"if-none-match": '"x"'})).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip, deflate, br", True), ("br;q=1.0, GZIP ; q=0.5", True), ("", False), ("identity", False),
     ("gzip;q=0", False), ("gzip; q=0.000, br", False), ("xgzip", False)],
)  # fmt: skip
async def test_files_are_compressed_for_whoever_takes_it(accepted: str, packed: bool) -> None:
    answer = await ask(versioned("app.js"), headers={"accept-encoding": accepted})
    assert (answer.headers.get("Content-Encoding") == "gzip") is packed
    assert answer.headers["Vary"] == "Accept-Encoding"
    body = answer.get_body()
    assert (gzip.decompress(body) if packed else body) == (ui.FOLDER / "app.js").read_bytes()


def test_every_instance_compresses_to_the_same_bytes() -> None:
    assert ui.read.__wrapped__() == ui.read()


async def test_head_has_the_headers_of_get() -> None:
    assert dict((await ask(method="HEAD")).headers) == dict((await ask()).headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_nothing_but_reading_is_possible(method: str) -> None:
    answer = await ask(method=method)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path",
    ["app.js", "VERSION/app.js", "{}", "{}/", "{}/nothing.js", "{}/index.html", "{}/vendor", "{}/vendor/README.md",
     "{}/../model.py", "{}/../../host.json", "{}/..%2f..%2fhost.json", "{}//etc/passwd", "../doors/ui.py",
     "{}/vendor/../app.js", "{}/app.js/", "{}/APP.JS", "{}/app.js\0", "\n{}/app.js", "{}\n/app.js"],
)  # fmt: skip
async def test_nothing_else_is_there(path: str) -> None:
    answer = await ask(path.format(ui.read().version))
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


async def test_a_slash_at_the_end_leads_to_the_page() -> None:
    answer = await ask(address="/api/ui/")
    assert (answer.status_code, answer.headers["Location"]) == (308, "../ui")


@pytest.mark.parametrize("path", ["", "{}/app.js", "{}/style.css", f"{{}}/{RENDERER}"])
async def test_the_page_may_do_no_more_than_it_must(path: str) -> None:
    answer = await ask(path.format(ui.read().version))
    rules = policy(answer)
    assert rules["default-src"] == ["'none'"]
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == ["'self'"]
    assert rules["frame-ancestors"] == rules["base-uri"] == rules["form-action"] == ["'none'"]
    assert rules["img-src"] == ["'self'", "data:"]
    assert rules["require-trusted-types-for"] == ["'script'"]
    assert not [word for words in rules.values() for word in words if "unsafe" in word or "*" in word or "//" in word]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_the_page_has_no_script_or_style_within_it() -> None:
    text = (ui.FOLDER / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)


def test_our_files_name_no_other_host_and_make_no_markup_of_text() -> None:
    for path in ui.FOLDER.glob("*.*"):
        text = path.read_text(encoding="utf-8")
        hosts = set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}
        assert hosts == set(), path.name
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text), path.name


def test_the_renderer_is_the_file_that_the_page_beside_it_names() -> None:
    digest = hashlib.sha256((ui.FOLDER / RENDERER).read_bytes()).hexdigest()
    assert f"`{digest}`" in (ui.FOLDER / "vendor" / "README.md").read_text(encoding="utf-8")
    assert "MIT" in (ui.FOLDER / "vendor" / "adaptivecards.LICENSE.txt").read_text(encoding="utf-8")


def test_the_files_are_deployed() -> None:
    patterns = [line for line in (ROOT / ".funcignore").read_text(encoding="utf-8").splitlines() if line]
    for name in (*ui.read().files, "vendor/adaptivecards.LICENSE.txt"):
        path = f"proactive/ui/{name}"
        parts = path.split("/")
        ignored = [
            pattern for pattern in patterns if any(fnmatch(part, pattern.rstrip("/")) for part in parts)
        ]  # fmt: skip
        assert ignored == [], path


def test_what_everybody_loads_is_small_even_all_of_it() -> None:
    # The browser's own count of the first load stands in tests/browser/test_browser_ui.py.
    files: dict[str, Any] = ui.read().files
    assert sum(len(file.packed) for name, file in files.items() if name != RENDERER) < 50_000
    assert len(files[RENDERER].packed) < 100_000
