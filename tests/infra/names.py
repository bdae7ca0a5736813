"""Which names a Bicep file uses and which it declares: what a compiler would see first, there being none on PyPI."""

import tree_sitter

from tests.infra.bicep import nodes

_DECLARATIONS = {"parameter_declaration", "variable_declaration", "resource_declaration", "module_declaration"}


def undeclared(text: str) -> set[str]:
    """Return the names that are used and never declared."""
    declared, used = _names(text)
    return used - set(declared)


def unused(text: str) -> set[str]:
    """Return the parameters and variables that nothing uses."""
    declared, used = _names(text)
    kinds = ("parameter_declaration", "variable_declaration")
    return {name for name, kind in declared.items() if kind in kinds} - used


def _names(text: str) -> tuple[dict[str, str], set[str]]:
    declared: dict[str, str] = {}
    used: set[str] = set()
    for node in nodes(text):
        parent = node.parent
        if parent is None or node.type not in ("identifier", "loop_variable", "loop_enumerator"):
            continue
        name, first = (node.text or b"").decode(), parent.children[0] == node
        if node.type != "identifier" or (parent.type == "lambda_expression" and first):
            declared[name] = node.type
        elif parent.type in (*_DECLARATIONS, "for_statement") and parent.named_children[0] == node:
            declared[name] = parent.type
        elif parent.type == "output_declaration" and parent.named_children[0] == node:
            continue
        elif not _is_key_or_function(node, parent):
            used.add(name)
    return declared, used


def _is_key_or_function(node: tree_sitter.Node, parent: tree_sitter.Node) -> bool:
    if parent.type == "object_property":
        return parent.children[0] == node
    return parent.type == "call_expression" and parent.child_by_field_name("function") == node
