"""infra/ as syntax trees: by pycep for what stands where, by tree-sitter for which words are names and which text."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import tree_sitter
import tree_sitter_bicep
from pycep import BicepParser

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
BICEP = {str(path.relative_to(INFRA)): path.read_text("utf-8") for path in sorted(INFRA.rglob("*.bicep"))}
WORKBOOK = "workbook.json"
BESIDE = {WORKBOOK: (INFRA / WORKBOOK).read_text("utf-8")}
PARAMETERS = (INFRA / "main.bicepparam").read_text("utf-8")

_TREES = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bicep.language()))


@lru_cache(maxsize=256)
def tree(text: str) -> dict[str, Any]:
    """Return pycep's tree. It reads `a == b ? c : d` as `a == (b ? c : d)`, and texts and names look alike in it."""
    return BicepParser().parse(text=text)


def parameter_values(text: str = PARAMETERS) -> dict[str, Any]:
    """Return what main.bicepparam gives. Neither parser knows such files; as variables their lines are Bicep."""
    lines = ["var" + line.removeprefix("param") if line.startswith("param ") else line for line in text.splitlines()]
    return {
        name: each["value"]
        for name, each in tree("\n".join(line for line in lines if not line.startswith("using ")) + "\n")[
            "variables"
        ].items()
    }


def nodes(text: str) -> Iterator[tree_sitter.Node]:
    """Yield every node of tree-sitter's tree."""
    waiting = [_TREES.parse(text.encode()).root_node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.children


@dataclass(frozen=True)
class Resource:
    """A resource or module: what it is made of, whatever condition or loop stands around it."""

    file: str
    name: str
    type: str
    existing: bool
    condition: Any
    loop: Any
    config: Mapping[str, Any]

    def at(self, path: str) -> Any:
        """Return what stands under a dotted path, or None."""
        found: Any = self.config
        for key in path.split("."):
            found = found.get(key, found.get(f"'{key}'")) if isinstance(found, dict) else None
        return found


class Deployment:
    """All Bicep files, parsed, and what they load."""

    def __init__(self, texts: Mapping[str, str] = BICEP, beside: Mapping[str, str] = BESIDE) -> None:
        self.texts = texts
        self.beside = beside
        self.trees = {file: tree(text) for file, text in texts.items()}

    @property
    def main(self) -> dict[str, Any]:
        return self.trees["main.bicep"]

    def resources(self, type_: str = "", *, existing: bool = False) -> list[Resource]:
        """Return the resources of a type, or all."""
        found = [
            _read(file, name, raw)
            for file, parsed in self.trees.items()
            for name, raw in parsed.get("resources", {}).items()
        ]
        return [each for each in found if each.existing == existing and (not type_ or each.type == type_)]

    def resource(self, type_: str) -> Resource:
        """Return the only resource of a type."""
        found = self.resources(type_)
        assert len(found) == 1, f"{len(found)} resources of type {type_}"
        return found[0]

    def modules(self) -> dict[str, Resource]:
        """Return main's modules by name; the file stands where a resource has its type."""
        return {name: _read("main.bicep", name, raw) for name, raw in self.main["modules"].items()}

    def variable(self, file: str, name: str) -> Any:
        """Return a variable's value."""
        assert name in self.trees[file]["variables"], f"{file} has no variable {name}"
        return self.trees[file]["variables"][name]["value"]

    def default(self, name: str) -> Any:
        """Return the default of one of main's parameters."""
        return self.main["parameters"][name]["default"]

    def settings(self) -> dict[str, Any]:
        """Return the app settings that are set by name, with their values as they stand in the tree."""
        return self.variable("modules/functions.bicep", "platformSettings") | self.variable("main.bicep", "settings")

    def settings_from_vault(self) -> set[str]:
        """Return the names of the settings that may come from the vault."""
        decorators = self.main["parameters"]["settingsFromVault"]["decorators"]
        allowed = next(each["argument"] for each in decorators if each["type"] == "allowed")
        return {*allowed, *re.findall(r"MicrosoftApp\w+", str(self.variable("main.bicep", "fromVault")))}


def broken(file: str, old: str, new: str) -> Deployment:
    """Return the deployment with one place of a file changed, in memory."""
    texts = {**BICEP, **BESIDE}
    assert texts[file].count(old) == 1, f"{old!r} stands {texts[file].count(old)} times in {file}"
    texts[file] = texts[file].replace(old, new)
    return Deployment({name: texts[name] for name in BICEP}, {name: texts[name] for name in BESIDE})


def words(value: Any) -> Iterator[Any]:
    """Yield every plain value within a part of a tree."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from words(each)
    elif isinstance(value, list):
        for each in value:
            yield from words(each)
    else:
        yield value


def _read(file: str, name: str, raw: dict[str, Any]) -> Resource:
    config, condition, loop = raw["config"], None, None
    while isinstance(config, dict) and "config" in config:
        condition, loop = config.get("condition") or condition, config.get("loop_type") or loop
        config = config["config"]
    kind = raw["detail"]["path"] if "detail" in raw else raw["type"]
    return Resource(file, name, kind, raw.get("existing", False), condition, loop, config)
