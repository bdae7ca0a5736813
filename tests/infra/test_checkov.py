"""What checkov asks for and infra/ does not do has a reason, and how its report is judged. `make test` runs checkov."""

from typing import Any

import pytest

from local import check_infra
from local.check_infra import INFRA, REASONS, judge, reasons
from tests.infra.bicep import ROOT

FILES = ["infra/main.bicep", "infra/modules/storage.bicep"]


def report(*checks: str, unread: int = 0) -> dict[str, Any]:
    failed = [
        {"check_id": check, "check_name": "Ensure it", "resource": "some.thing", "file_path": "/infra/main.bicep"}
        for check in checks
    ]
    return {"results": {"failed_checks": failed}, "summary": {"parsing_errors": unread}}


def test_every_check_that_is_left_out_has_a_reason() -> None:
    text = REASONS.read_text("utf-8")
    found = reasons(text)

    assert len(found) == text.count("CKV_AZURE_") - 1, "all but the one that gives no verdict"
    assert [name for name, reason in found.items() if len(reason.split()) < 4] == []


def test_what_checkov_asks_for_fails_unless_it_has_a_reason() -> None:
    assert judge(report("CKV_AZURE_1"), {"CKV_AZURE_1": "because"}, FILES) == []
    assert judge(report("CKV_AZURE_1", "CKV_AZURE_2"), {"CKV_AZURE_1": "because"}, FILES) == [
        "CKV_AZURE_2: Ensure it: some.thing in /infra/main.bicep"
    ]


def test_a_name_without_a_reason_excuses_nothing() -> None:
    excused = reasons("skip-check:\n  - CKV_AZURE_1\n  - CKV_AZURE_2 # because\n")

    assert excused == {"CKV_AZURE_1": "", "CKV_AZURE_2": "because"}
    (said,) = judge(report("CKV_AZURE_1", "CKV_AZURE_2"), excused, FILES)
    assert said.startswith("CKV_AZURE_1: ")


def test_a_reason_that_nothing_asks_for_any_more_fails() -> None:
    (said,) = judge(report(), {"CKV_AZURE_1": "because"}, FILES)

    assert said == "CKV_AZURE_1 is named in .checkov.yaml for nothing: take it out"


def test_a_file_that_checkov_passes_over_fails() -> None:
    (said,) = judge(report(unread=1), {}, FILES)

    assert said == "checkov could not read 1 of infra/main.bicep, infra/modules/storage.bicep"


def test_it_has_the_parser_that_reads_our_files() -> None:
    lock = (INFRA / "checkov" / "requirements.txt").read_text("utf-8")
    ours = (ROOT / "requirements-dev.txt").read_text("utf-8")
    override = (INFRA / "checkov" / "overrides.txt").read_text("utf-8").splitlines()[-1]

    assert override.startswith("pycep-parser==")
    for locked in (lock, ours):
        assert f"\n{override} \\\n" in locked


@pytest.mark.parametrize(("strict", "passes", "word"), [(False, True, "skipped"), (True, False, "FAILED")])
def test_without_checkov_make_test_goes_on_and_make_checkov_fails(tmp_path, monkeypatch, capsys, strict, passes, word):
    monkeypatch.setattr(check_infra, "_HOME", tmp_path / "checkov")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_OFFLINE", "1")

    assert check_infra.check(strict=strict) is passes
    assert capsys.readouterr().out.startswith(f"{word}: checkov is not here and cannot be fetched (")
