import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.check import too_long
from local.check_tests import PARTS, Part, run_parts, skipped

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _starts_at_once(monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


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
    command = [sys.executable, "-m", "pytest", f"--junit-xml={report}", "-p", "no:cacheprovider"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    assert skipped(report) == ["::test_none", "test_some::test_is_skipped"]


def written(root: Path, **tests: str) -> Path:
    """Write test modules, each into a directory of its name, and return the directory of all."""
    for name, text in tests.items():
        module = root / "tests" / name / f"test_{name}.py"
        module.parent.mkdir(parents=True)
        module.write_text(text, encoding="utf-8")
    return root / "tests"


def test_every_test_runs_in_one_part_and_what_fails_is_shown_whole(tmp_path, capfd):
    """GIVEN a test that is in no named part WHEN all parts run THEN it runs as well, and each failure is told."""
    noted = "from pathlib import Path\ndef test_{0}():\n  with Path('noted').open('a') as f: f.write('{0}')\n"
    tests = written(
        tmp_path,
        named=noted.format("a") + TESTS,
        other=noted.format("b") + "def test_wrong():\n  print('in so many words')\n  assert 1 == 2\n",
        third=noted.format("c") + "def test_left_out(): assert False\n",
    )

    rest, named = run_parts(tmp_path, Part.all(tests, ["named"]), "-k", "not left_out")

    assert sorted((tmp_path / "noted").read_text()) == ["a", "b", "c"]
    assert (named.passed, rest.passed) == (True, False)
    assert named.skipped == ("tests.named.test_named::test_is_skipped",)
    assert "2 passed, 1 skipped, 1 xfailed" in named.closing
    assert "FAILED tests/other/test_other.py::test_wrong - assert 1 == 2" in rest.closing
    assert "1 failed, 2 passed" in rest.closing
    shown = capfd.readouterr().out
    assert "in so many words" in shown
    assert "the rest: FAILED" in shown
    assert "1 skipped" not in shown, "of what passes the last lines are shown, at the end"


def test_parts_run_side_by_side(tmp_path):
    """GIVEN two parts of which each waits for the other WHEN they run THEN both end."""
    meet = """
import time
from pathlib import Path

def test_meet():
    Path("{0}").touch()
    end = time.monotonic() + 40
    while not Path("{1}").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
"""
    tests = written(tmp_path, a=meet.format("here", "there"), b=meet.format("there", "here"))
    assert [ran.passed for ran in run_parts(tmp_path, Part.all(tests, ["a"]), at_once=2)] == [True, True]


def test_a_pytest_that_cannot_begin_has_failed(tmp_path, capfd):
    (ran,) = run_parts(tmp_path, [Part("gone", ("no/such/directory",))])
    assert not ran.passed
    assert "no/such/directory" in capfd.readouterr().out


WAITS = """
import time
from pathlib import Path

import pytest

@pytest.fixture
def stack():
    yield
    Path("ended").touch()

def test_waits(stack):
    Path("begun").touch()
    time.sleep(50)
"""


def test_an_interrupt_ends_what_runs_as_ctrl_c_does_and_begins_nothing_more(tmp_path):
    tests = written(tmp_path, a=WAITS, late="from pathlib import Path\ndef test(): Path('too late').touch()")
    script = f"""
import signal
from pathlib import Path
from local.check_tests import Part, run_parts
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in a shell's background begins without it
try:
    run_parts(Path({str(tmp_path)!r}), Part.all(Path({str(tests)!r}), ["late"]), at_once=1)
except KeyboardInterrupt:
    print("interrupted")
"""
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    end = time.monotonic() + 40
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=40)
    assert out == "interrupted\n"
    assert (tmp_path / "ended").exists(), "its fixtures were torn down"
    assert not (tmp_path / "too late").exists()


def test_every_part_has_its_directories():
    for name in " ".join(PARTS).split():
        assert list((ROOT / "tests" / name).glob("test_*.py")), name


@pytest.mark.parametrize("place", ["function_app.py", "proactive/store/sends.py", "local/up.py", "infra/teams_app.py"])
def test_a_module_that_grew_too_long_is_named(tmp_path, place):
    ours = ("function_app.py", "proactive/store/sends.py", "local/up.py", "infra/teams_app.py")
    for module in (*ours, "local/node_modules/a/b.py"):
        (tmp_path / module).parent.mkdir(parents=True, exist_ok=True)
        lines = 401 if module == place or "node_modules" in module else 400
        (tmp_path / module).write_text("pass\n" * lines, encoding="utf-8")
    assert too_long(tmp_path) == [f"{place} has 401 lines, more than 400: divide it"]
