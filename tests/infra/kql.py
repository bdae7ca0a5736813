"""Queries in Kusto's language as far as they can be judged without Azure: brackets, tables, columns and metrics."""

import re

from tests.telemetry.names import documented_metrics

METRICS = documented_metrics()
# A counter's or gauge's rows come without a largest and a smallest value: the exporter gives those of histograms only.
HISTOGRAMS = {"proactive.queue.wait"}
# What a span may have: none but these is asked for.
SPAN_DIMENSIONS = {"proactive.send"}

_EVERYWHERE = {
    "timestamp", "itemCount", "itemType", "customDimensions", "operation_Id", "operation_Name", "cloud_RoleInstance",
}  # fmt: skip
# https://learn.microsoft.com/azure/azure-monitor/reference/tables/, by the names that a component gives them.
COLUMNS = {
    "customMetrics": {"name", "value", "valueCount", "valueSum", "valueMin", "valueMax"},
    "dependencies": {"name", "duration", "success", "resultCode"},
    "exceptions": {"type", "outerMessage"},
    "requests": {"name", "url", "duration", "success", "resultCode"},
    "traces": {"message", "severityLevel"},
}
_WORDS = {
    "ago", "and", "arg_max", "asc", "bin", "by", "contains", "count", "dcount", "desc", "endswith", "extend", "false",
    "has", "has_any", "in", "isnotempty", "let", "make_set", "matches", "max", "min", "or", "order", "parse",
    "percentile", "project", "regex", "replace_regex", "startswith", "strcat", "sum", "sumif", "summarize", "take",
    "take_any", "todouble", "tolower", "toscalar", "tostring", "true", "union", "where", "with",
}  # fmt: skip
_TEXT = re.compile(r"@?\"(?:[^\"\\]|\\.)*\"|'[^']*'")
_CLOSING = {")": "(", "]": "[", "}": "{"}


def faults(query: str) -> list[str]:
    """Return what is wrong with a query."""
    bare = _TEXT.sub("''", query)
    return [*_brackets(bare), *_names(bare), *_metrics(query), *_executions(query)]


def metrics(query: str) -> set[str]:
    """Return the app's metrics that a query names."""
    return set(re.findall(r"(?<!customDimensions\[)[\"'](proactive\.[\w.]+)[\"']", query))


def _brackets(bare: str) -> list[str]:
    opened: list[str] = []
    for character in bare:
        if character in _CLOSING.values():
            opened.append(character)
        elif character in _CLOSING and (not opened or opened.pop() != _CLOSING[character]):
            return [f"{character} closes nothing"]
    return [f"{each} is not closed" for each in opened]


def _names(bare: str) -> list[str]:
    let = set(re.findall(r"\blet (\w+) =", bare))
    sources = set(re.findall(r"(?:^|;|\(|\blet \w+ =)\s*(\w+)\s*\|", bare))
    for together in re.findall(r"(?:^|;)\s*union (\w+(?:, \w+)*)\s*\|", bare):
        sources |= set(together.split(", "))
    known = _EVERYWHERE | _WORDS | let | sources
    for table in sources:
        known |= COLUMNS.get(table, set())
    # `summarize people = …` and `parse … "of send " send`: from there on it is a column.
    known |= set(re.findall(r"\b(\w+) = ", bare)) | set(re.findall(r"'' (\w+)", bare))
    # Spans of time (`5m`) and a workbook's `{TimeRange:grain}` are no names.
    used = re.findall(r"(?<![\w.])[A-Za-z_]\w*", bare.replace("{TimeRange:grain}", "1m"))
    return [
        *(f"{each} is no table" for each in sorted(sources - let - set(COLUMNS))),
        *(["no table is asked"] if not sources else []),
        *(f"{each} is neither column nor word" for each in dict.fromkeys(used) if each not in known),
    ]


def _executions(query: str) -> list[str]:
    # With OpenTelemetry the host may have no row for what a queue triggered: docs/decisions/0026-telemetry.md.
    asked = re.match(r"requests\b", query) and "by operation_Name" in query
    return ["requests has HTTP calls only: ask traces"] if asked and "where operation_Name" not in query else []


def _metrics(query: str) -> list[str]:
    named = metrics(query)
    dimensions = set().union(*(METRICS.get(name, set()) for name in named)) | SPAN_DIMENSIONS
    lone = named - HISTOGRAMS if re.search(r"\bvalue(Max|Min)\b", query) else set()
    asked = re.findall(r"customDimensions\[[\"']([^\"']+)[\"']\]", query)
    return [
        *(f"{name} is no metric of the app" for name in sorted(named - set(METRICS))),
        *(f"{name} has no largest or smallest value: ask valueSum" for name in sorted(lone)),
        *(
            f"{name} is no dimension of {', '.join(sorted(named)) or 'a span'}"
            for name in asked
            if name not in dimensions
        ),
        *(
            ["customDimensions is asked for no text in brackets"]
            if query.count("customDimensions") != len(asked)
            else []
        ),
    ]
