"""What icons are drawn with: shapes, how much of a pixel they fill, and PNG. It needs nothing but Python."""

import struct
import zlib
from collections.abc import Callable, Iterable

type Point = tuple[float, float]
type Triangle = tuple[Point, Point, Point]

RGB, RGBA = 2, 6  # PNG's colour types, of 8 bits a part here


def png(width: int, kind: int, rows: Iterable[Iterable[bytes]]) -> bytes:
    """Return a square picture as PNG: rows of pixels, of `kind`, each pixel as its parts. The same each time."""
    raw = b"".join(b"\0" + b"".join(row) for row in rows)
    header = struct.pack(">IIBBBBB", width, width, 8, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(raw, 9)) + _chunk(b"IEND", b"")
    )


def white_on(ground: bytes, white: float) -> bytes:
    """Return a pixel of the colour `ground` of which a part, from 0 to 1, is white."""
    return bytes(round(255 * white + part * (1 - white)) for part in ground)


def filled(x: int, y: int, fine: int, inside: Callable[[float, float], bool]) -> float:
    """Return how much of a pixel lies `inside`, from 0 to 1, by `fine` samples each way."""
    steps = [(step + 0.5) / fine for step in range(fine)]
    return sum(inside(x + right, y + down) for right in steps for down in steps) / fine**2


def in_box(x: float, y: float, low: Point, high: Point, radius: float) -> bool:
    """Tell whether a place lies in a box with corners of this radius."""
    across = max(low[0] + radius - x, 0, x - high[0] + radius)
    down = max(low[1] + radius - y, 0, y - high[1] + radius)
    return across**2 + down**2 <= radius**2


def in_triangle(x: float, y: float, corners: Triangle) -> bool:
    """Tell whether a place lies in a triangle."""
    sides = zip(corners, (*corners[1:], corners[0]), strict=True)
    turns = [(bx - ax) * (y - ay) - (by - ay) * (x - ax) for (ax, ay), (bx, by) in sides]
    return all(turn <= 0 for turn in turns) or all(turn >= 0 for turn in turns)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
