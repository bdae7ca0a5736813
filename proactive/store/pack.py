"""JSON values packed into binary properties of a row: one holds 64 KiB, a string property only 32 K characters."""

import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

_PROPERTY = 65_536
_ENCODER = json.JSONEncoder(ensure_ascii=False)  # made once: that costs more than to encode little


def compress(value: Any) -> bytes:
    """Return `value` as compressed JSON."""
    return zlib.compress(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), 1)


def decompress(data: bytes) -> Any:
    """Return the value that `compress` was given."""
    return json.loads(zlib.decompress(data))


def pack(name: str, value: Any) -> dict[str, bytes]:
    """Return the properties `name`0, `name`1, … that hold `value`."""
    data = compress(value)
    return {f"{name}{n}": data[at : at + _PROPERTY] for n, at in enumerate(range(0, len(data), _PROPERTY))}


def unpack(name: str, row: dict[str, Any]) -> Any:
    """Return the value that `pack` put into `row` under `name`."""
    parts: list[bytes] = []
    while (part := row.get(f"{name}{len(parts)}")) is not None:
        parts.append(part)
    return decompress(b"".join(parts))


def weight(data: Any) -> int:
    """Return about how many bytes data take in a row at the most; 0 for None, which costs nothing."""
    return 0 if data is None else len(_ENCODER.encode(data).encode()) + 1


def cut[T](items: Sequence[T], data: Sequence[Any], most: int, heaviest: int) -> Iterator[Sequence[T]]:
    """Yield items, each of which has `data` of its own, in parts of at most `most` items and `heaviest` bytes of data.

    One that is heavier stands alone.
    """
    start, total = 0, 0
    for at, own in enumerate(data):
        added = weight(own)
        if at - start == most or (at > start and total + added > heaviest):
            yield items[start:at]
            start, total = at, 0
        total += added
    if start < len(items):
        yield items[start:]
