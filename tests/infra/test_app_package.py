"""The Teams app package: made of a deployment's outputs, judged by Teams' published rules, the same bytes each time."""

import copy
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra import teams_app, teams_icons, teams_rules
from tests.infra.bicep import BICEP

BOT = "11111111-2222-3333-4444-555555555555"
GRAPH = "66666666-7777-8888-9999-000000000000"
DEPLOYED = f"""APP_URL="https://func-abc.azurewebsites.net"
BOT_APP_ID="{BOT}"
BOT_DISPLAY_NAME="Contoso says"
GRAPH_CLIENT_ID=""
"""


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    file = tmp_path / "deployed.env"
    file.write_text(DEPLOYED)
    return file


def made(deployed: Path, *options: str) -> dict[str, bytes]:
    out = deployed.with_name("app.zip")
    assert teams_app.main([str(deployed), "--output", str(out), *options]) == 0
    with zipfile.ZipFile(out) as file:
        return {name: file.read(name) for name in file.namelist()}


def manifest(deployed: Path, *options: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(made(deployed, *options)["manifest.json"])
    return content


def test_outputs_are_enough(deployed: Path) -> None:
    content = manifest(deployed)

    assert content["id"] == content["bots"][0]["botId"] == BOT
    assert content["name"]["short"] == "Contoso says"
    assert content["bots"][0]["scopes"] == ["personal"]
    assert content["bots"][0]["isNotificationOnly"] is False
    assert content["validDomains"] == ["func-abc.azurewebsites.net"]
    assert "webApplicationInfo" not in content


def test_an_app_that_graph_installs_names_whom_graph_knows(deployed: Path) -> None:
    deployed.write_text(DEPLOYED.replace('GRAPH_CLIENT_ID=""', f'GRAPH_CLIENT_ID="{GRAPH}"'))

    assert manifest(deployed)["webApplicationInfo"] == {"id": GRAPH}


def test_options_win_over_outputs(deployed: Path) -> None:
    content = manifest(deployed, "--app-id", GRAPH, "--name", "Other", "--notification-only", "--version", "1.2.0")

    assert (content["id"], content["name"]["short"], content["version"]) == (GRAPH, "Other", "1.2.0")
    assert content["bots"][0]["isNotificationOnly"] is True


def test_what_is_read_is_put_out_by_the_deployment() -> None:
    for name in ("APP_URL", "BOT_APP_ID", "GRAPH_CLIENT_ID"):
        assert f"output {name} string" in BICEP["main.bicep"]


def test_the_same_outputs_give_the_same_bytes(deployed: Path) -> None:
    made(deployed)
    first = deployed.with_name("app.zip").read_bytes()
    made(deployed)

    assert deployed.with_name("app.zip").read_bytes() == first


def pixels(png: bytes, channels: int) -> list[bytes]:
    width, height = struct.unpack(">II", png[16:24])
    length = struct.unpack(">I", png[33:37])[0]
    rows = zlib.decompress(png[41 : 41 + length])
    stride = width * channels + 1
    assert len(rows) == stride * height
    lines = [rows[line * stride + 1 : (line + 1) * stride] for line in range(height)]
    return [line[at : at + channels] for line in lines for at in range(0, width * channels, channels)]


def test_the_outline_is_white_on_nothing_and_the_other_icon_has_the_colour(deployed: Path) -> None:
    files = made(deployed, "--colour", "#00ff00")

    outline, colour = pixels(files["outline.png"], 4), pixels(files["color.png"], 3)
    assert {pixel[:3] for pixel in outline} == {b"\xff\xff\xff"}
    assert {0, 255} <= {pixel[3] for pixel in outline}
    assert {b"\x00\xff\x00", b"\xff\xff\xff"} <= set(colour)
    assert (teams_icons.size(files["outline.png"]), teams_icons.size(files["color.png"])) == ((32, 32), (192, 192))


def at(content: dict[str, Any], field: str, value: Any) -> None:
    *path, last = field.split(".")
    inside: Any = content
    for name in path:
        inside = inside[int(name)] if isinstance(inside, list) else inside[name]
    if value is None:
        del inside[last]
    else:
        inside[last] = value


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name.short", "x" * 31, "name.short: has 31 characters, 30 are allowed"),
        ("name.short", "😀" * 16, "name.short: has 32 characters"),
        ("name.short", " ", "name.short: has to be a text that is not empty"),
        ("name.full", "x" * 101, "name.full: has 101"),
        ("description.short", "x" * 81, "description.short: has 81"),
        ("description.full", "x" * 4001, "description.full: has 4001"),
        ("developer.name", "x" * 33, "developer.name: has 33"),
        ("developer.privacyUrl", "http://contoso.com", "developer.privacyUrl: has to be an https:// address"),
        ("developer.termsOfUseUrl", None, "developer.termsOfUseUrl: is required"),
        ("developer.websiteUrl", "https://[", "developer.websiteUrl: has to be an https:// address"),
        ("version", "1.0", "version: has to be three numbers"),
        ("version", "1.00.0", "version: has to be three numbers"),
        ("id", "contoso", "id: has to be a GUID"),
        ("id", 7, "id: has to be a text"),
        ("bots.0.botId", BOT + "\n", "bots.0.botId: has 37"),
        ("bots.0.isNotificationOnly", "true", "bots.0.isNotificationOnly: has to be true or false"),
        ("bots.0.scopes", ["team", "personal"], "bots.0.scopes: has to be"),
        ("bots", None, "bots.0.botId: is required"),
        ("accentColor", "blue", "accentColor: has to be a colour"),
        ("accentColor", None, "accentColor: is required"),
        ("manifestVersion", "1.0", "manifestVersion: has to be 1.19"),
        ("validDomains", ["https://contoso.com/a"], "validDomains: 'https://contoso.com/a' is no host name"),
        ("validDomains", ["a.example.com"] * 17, "validDomains: has to be a list of 16 at most"),
        ("webApplicationInfo", {"id": "me"}, "webApplicationInfo.id: has to be a GUID"),
        ("packageName", "com.contoso", "packageName: unknown here"),
        ("icons.color", None, "icons.color: is required"),
    ],
)
def test_a_broken_rule_is_told_by_the_name_of_its_field(deployed: Path, field: str, value: Any, sentence: str) -> None:
    content = manifest(deployed)
    assert teams_rules.of_manifest(content) == []
    broken = copy.deepcopy(content)
    at(broken, field, value)

    found = teams_rules.of_manifest(broken)
    assert any(each.startswith(sentence) for each in found), found


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda files: {**files, "color.png": files["outline.png"]}, "icons.color: color.png is 32x32"),
        (lambda files: {**files, "outline.png": b"GIF89a"}, "icons.outline: outline.png is no PNG"),
        (lambda files: {**files, "notes.txt": b""}, "notes.txt: nothing in the manifest asks for this file"),
        (lambda files: {f"app/{name}": data for name, data in files.items()}, "manifest.json: has to be in the zip"),
        (lambda files: {**files, "manifest.json": b"{"}, "the package cannot be read"),
        (lambda files: {**files, "manifest.json": b"[]"}, "manifest.json: has to be an object"),
        (lambda files: {n: d for n, d in files.items() if n != "color.png"}, "icons.color: there is no color.png"),
    ],
)
def test_a_package_that_teams_would_refuse_is_told(
    deployed: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, bytes]], dict[str, bytes]],
    sentence: str,
) -> None:
    package = deployed.with_name("other.zip")
    package.write_bytes(zipped(made(deployed)))
    assert teams_app.main(["--check", str(package)]) == 0
    package.write_bytes(zipped(change(made(deployed))))

    assert teams_app.main(["--check", str(package)]) == 1
    assert sentence in capsys.readouterr().err


def test_without_outputs_it_says_what_is_missing_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "app.zip"

    assert teams_app.main(["--output", str(out)]) == 1
    assert "bots.0.botId: has to be" in capsys.readouterr().err
    assert teams_app.main([str(tmp_path / "none.env"), "--output", str(out)]) == 1
    assert "No such file" in capsys.readouterr().err
    assert not out.exists()
