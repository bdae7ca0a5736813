"""Transactions: a request that holds one request for each change, and an answer that holds their answers.

    batch ── change set ──┬─ POST …    all are carried out, in order, or none;
                          ├─ PATCH …   of a failed one there is a single answer, whose message
                          └─ DELETE …  begins with the number of the change

Source: https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions
"""

import re
from collections.abc import Iterable
from typing import Literal

from proactive.store.entities import ACCEPT, Row, path_of, written
from proactive.store.rest import Answer

type Change = tuple[Literal["insert", "delete", "touch"], Row] | tuple[Literal["update"], Row, str]

# They need not be new each time: no line of a change can look like them, as JSON and addresses have no line breaks.
_BATCH, _CHANGES = "batch_of_changes", "changes"
HEADERS = {**ACCEPT, "Content-Type": f"multipart/mixed; boundary={_BATCH}"}

_PART = (
    f"--{_CHANGES}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    "{} HTTP/1.1\r\nAccept: application/json;odata=minimalmetadata\r\nDataServiceVersion: 3.0\r\n"
)
_JSON = "Content-Type: application/json\r\n"
_ANSWER = re.compile(rb"^HTTP/1\.1 (\d{3})[^\r\n]*\r?\n((?:[^\r\n]+\r?\n)*)", re.MULTILINE)
_ETAG = re.compile(rb"^ETag: *([^\r\n]+)", re.MULTILINE | re.IGNORECASE)


def body_of(address: str, table: str, changes: Iterable[Change]) -> bytes:
    """Return the body that asks for `changes` of a table, under the service's `address`."""
    parts = [f"--{_BATCH}\r\nContent-Type: multipart/mixed; boundary={_CHANGES}\r\n\r\n".encode()]
    for change in changes:
        row = change[1]
        where = address + path_of(table, row["PartitionKey"], row["RowKey"])
        match change:
            case ("insert", _):
                head = _PART.format(f"POST {address}/{table}") + f"{_JSON}Prefer: return-no-content\r\n\r\n"
            case ("delete", _):
                head = _PART.format(f"DELETE {where}") + "If-Match: *\r\n\r\n"
            case ("touch", _):
                head = _PART.format(f"PATCH {where}") + f"{_JSON}If-Match: *\r\n\r\n"
            case (_, _, etag):
                head = _PART.format(f"PATCH {where}") + f"{_JSON}If-Match: {etag}\r\n\r\n"
        parts += [head.encode(), b"" if change[0] == "delete" else written(row), b"\r\n"]
    parts.append(f"--{_CHANGES}--\r\n--{_BATCH}--\r\n".encode())
    return b"".join(parts)


def outcome(answer: Answer) -> Answer:
    """Return the answer of the change that failed, or the whole where none did."""
    for found in _ANSWER.finditer(answer.body):
        if int(found[1]) >= 400:
            return answer._replace(status=int(found[1]), body=answer.body[found.end() :])
    return answer


def etags(answer: Answer) -> list[str]:
    """Return the new ETags of the rows in the order of the changes, empty for what was removed."""
    found = [_ETAG.search(part[2]) for part in _ANSWER.finditer(answer.body)]
    return [etag[1].decode() if etag else "" for etag in found]
