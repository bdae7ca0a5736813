"""The rules of `.importlinter` for what import-linter does not see: imports by name, parts of `azure`, the map."""

import ast
import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Package → who may import it. The longest package that fits decides.
MAY_IMPORT = {
    "azure": set(),
    "azure.functions": {"function_app", "proactive.doors"},
    "azure.core": {"proactive.store", "proactive.tokens", "proactive.cli.queues"},
    "azure.data": {"proactive.store"},
    "azure.storage": {"proactive.store", "proactive.cli.queues"},
    "azure.monitor": {"proactive.insights"},
    "opentelemetry.sdk": {"proactive.insights"},
    "opentelemetry": {"proactive.telemetry", "proactive.insights"},
    "azure_functions_runtime": set(),
    "botbuilder": {"proactive.bot"},
    "botframework": set(),
    "msrest": set(),
    "msal": {"proactive.signin"},
    "click": {"proactive.cli"},
    "rich": {"proactive.cli"},
    "proactive.cli": {"proactive.__main__", "proactive.cli"},
    "local": set(),
    "tests": set(),
}


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def modules() -> dict[str, str]:
    paths = [ROOT / "function_app.py", *sorted((ROOT / "proactive").rglob("*.py"))]
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths)
    return dict(zip(names, (path.read_text(encoding="utf-8") for path in paths), strict=True))


def imports(source: str) -> set[str]:
    """Return what a module imports by statements, wherever they stand."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import hides where it leads"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def imports_by_name(source: str) -> set[str]:
    """Return what a module imports by name at run time; code stands for a name that only running would tell."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        # `import_module(name)` and `room(name)`, or `to_thread(import_module, name)`.
        handed_on = any(_called(argument) == "import_module" for argument in node.args)
        if handed_on or _called(node.func) in ("import_module", "room"):
            names = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            found |= set(names or [ast.unparse(node)])
    return found


def _called(node: ast.expr) -> str | None:
    return getattr(node, "attr", getattr(node, "id", None))


def forbidden(module: str, source: str) -> list[str]:
    """Return what a module imports, in either way, that is not its own to import."""
    wrong = []
    for name in sorted(imports(source) | imports_by_name(source)):
        package = max((package for package in MAY_IMPORT if within(name, package)), key=len, default=None)
        if package and not any(within(module, owner) for owner in MAY_IMPORT[package]):
            wrong.append(name)
    return wrong


def rank() -> dict[str, int]:
    """Return the layer of each child of `proactive`, the topmost first."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:rooms"]["layers"].strip().splitlines()
    return {name: place for place, layer in enumerate(layers) for name in re.split(r"[|:]", layer.replace(" ", ""))}


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_what_is_its_own_to_import(module):
    assert forbidden(module, modules()[module]) == []


@pytest.mark.parametrize("module", sorted(modules().keys() - {"function_app", "proactive.rooms"}))
def test_a_room_imports_by_name_only_what_stands_below_it(module):
    layers = rank()
    for name in imports_by_name(modules()[module]):
        assert re.fullmatch(r"[\w.]+", name), f"nobody can tell what this imports: {name}"
        if within(name, "proactive"):
            above, below = module.split(".")[1], name.split(".")[1]
            assert above == below or layers[above] < layers[below]


def test_every_place_in_the_map_is_there():
    for owner in {owner for owners in MAY_IMPORT.values() for owner in owners}:
        assert owner in modules()


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("proactive.plan", "def f():\n    import azure.functions as func", ["azure.functions"]),
        ("proactive.plan", "from azure import functions", ["azure.functions"]),
        ("proactive.doors.v1", "import azure.functions", []),
        ("proactive.plan", "importlib.import_module('azure.data.tables')", ["azure.data.tables"]),
        ("proactive.plan", "await asyncio.to_thread(importlib.import_module, 'azure.core')", ["azure.core"]),
        ("proactive.storekeeper", "await room('azure.storage.queue.aio')", ["azure.storage.queue.aio"]),
        ("proactive.store.account", "await room('azure.storage.queue.aio')", []),
        ("proactive.tokens", "import azure.identity", ["azure.identity"]),
        ("proactive.teams", "from opentelemetry import trace", ["opentelemetry", "opentelemetry.trace"]),
        ("proactive.telemetry", "import opentelemetry.sdk.trace", ["opentelemetry.sdk.trace"]),
        ("proactive.teams", "if TYPE_CHECKING:\n    from botbuilder.core import TurnContext", ["botbuilder.core"]),
        ("function_app", "from local import up", ["local"]),
        ("proactive.locals", "import localhost, msalish", []),
    ],
)
def test_an_import_out_of_place_is_found(module, source, wrong):
    found = forbidden(module, source)
    assert [name for name in found if name in wrong] == wrong
    assert bool(found) == bool(wrong)
