import subprocess
import sys

import pytest

from local.check import skipped, too_long

TESTS = """
import pytest

def test_passes(): pass

@pytest.mark.skip
def test_is_skipped(): pass

@pytest.mark.xfail
def test_is_known_to_fail(): assert False
"""


def test_every_skipped_test_and_module_is_named(tmp_path):
    (tmp_path / "test_some.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "test_none.py").write_text("import pytest; pytest.importorskip('not_installed')", encoding="utf-8")
    report = tmp_path / "tests.xml"
    command = [sys.executable, "-m", "pytest", f"--junit-xml={report}", "-p", "no:asyncio", "-p", "no:cacheprovider"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    assert skipped(report) == ["::test_none", "test_some::test_is_skipped"]


@pytest.mark.parametrize("place", ["function_app.py", "proactive/store/sends.py", "local/up.py"])
def test_a_module_that_grew_too_long_is_named(tmp_path, place):
    for module in ("function_app.py", "proactive/store/sends.py", "local/up.py", "local/node_modules/a/b.py"):
        (tmp_path / module).parent.mkdir(parents=True, exist_ok=True)
        lines = 401 if module == place or "node_modules" in module else 400
        (tmp_path / module).write_text("pass\n" * lines, encoding="utf-8")
    assert too_long(tmp_path) == [f"{place} has 401 lines, more than 400: divide it"]
