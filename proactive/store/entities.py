"""Rows as Table Storage reads and writes them: JSON, with the types that JSON does not have beside the values.

    {"PartitionKey": "…", "at": 1.0, "at@odata.type": "Edm.Double", "people0": "eJw…", "people0@odata.type": …}

Source: https://learn.microsoft.com/rest/api/storageservices/payload-format-for-table-service-operations
"""

import json
import math
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

type Row = dict[str, Any]

ACCEPT = {"Accept": "application/json;odata=minimalmetadata", "DataServiceVersion": "3.0"}
"""Asks for a row's ETag and types, and no more than that."""

_TYPE = "@odata.type"
_NOT_FINITE = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
_READ: dict[str, Callable[[Any], Any]] = {"Edm.Binary": a2b_base64, "Edm.Double": float, "Edm.Int64": int}


def quoted(text: str) -> str:
    """Return `text` as a literal of an OData filter."""
    return "'" + text.replace("'", "''") + "'"


def path_of(table: str, partition: str, row: str) -> str:
    """Return the path of a row.

    Quoted like yarl quotes what it is given unquoted, since this is what the SDK sends and signs over aiohttp.
    """
    return f"/{table}(PartitionKey={_key(partition)},RowKey={_key(row)})"


def _key(text: str) -> str:
    return quote(quoted(text), safe="!$'()*,&=;@:")


def written(row: Row) -> bytes:
    """Return a row as JSON; properties that are None are left out."""
    found: Row = {}
    for name, value in row.items():
        match value:
            case bool() | str():
                found[name] = value
            case float():
                found[name] = value if math.isfinite(value) else _NOT_FINITE[str(value)]
                found[name + _TYPE] = "Edm.Double"
            case int() if -(2**31) <= value < 2**31:
                found[name] = value
            case int():
                found[name] = str(value)
                found[name + _TYPE] = "Edm.Int64"
            case bytes():
                found[name] = b2a_base64(value, newline=False).decode()
                found[name + _TYPE] = "Edm.Binary"
            case None:
                pass
            case _:
                raise TypeError(f"a row does not hold a {type(value).__name__} ({name})")
    return json.dumps(found, separators=(",", ":")).encode()


def row_of(found: Row) -> Row:
    """Make a row of what was read as JSON, in place: without its time stamp, with its ETag under `etag`.

    Types that we never write stay text.
    """
    # A property's own name has no dot: what has one is an annotation.
    for name in [name for name in found if "." in name]:
        kind = found.pop(name)
        if name == "odata.etag":
            found["etag"] = kind
        elif name.endswith(_TYPE) and kind in _READ:
            owner = name.removesuffix(_TYPE)
            if found[owner] is not None:
                found[owner] = _READ[kind](found[owner])
    found.pop("Timestamp", None)
    return found
