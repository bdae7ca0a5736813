"""The two icons of the Teams app, drawn: a speech bubble from which an arrow sets out."""

import struct
import zlib
from collections.abc import Callable
from functools import cache

COLOUR_SIZE = 192  # pixels each way, as the manifest's schema asks for
OUTLINE_SIZE = 32
_FINE = 4  # samples each way in a pixel, for smooth edges

type Point = tuple[float, float]

# Places are parts of the icon's width and height.
_BUBBLE: tuple[Point, Point] = ((0.14, 0.16), (0.86, 0.68))
_TAIL: tuple[Point, Point, Point] = ((0.30, 0.64), (0.30, 0.86), (0.52, 0.64))
_SHAFT: tuple[Point, Point] = ((0.28, 0.37), (0.56, 0.47))
_HEAD: tuple[Point, Point, Point] = ((0.54, 0.27), (0.54, 0.57), (0.74, 0.42))


def colour(ground: str) -> bytes:
    """Return the colour icon as PNG (RGB): white on `ground`, as in `#3a4fb0`."""
    parts = bytes.fromhex(ground.removeprefix("#"))
    return _png(COLOUR_SIZE, 2, lambda white: bytes(round(255 * white + part * (1 - white)) for part in parts))


def outline() -> bytes:
    """Return the outline icon as PNG (RGBA): nothing but white, which Teams tints, on a transparent ground."""
    return _png(OUTLINE_SIZE, 6, lambda white: bytes((255, 255, 255, round(255 * white))))


def size(png: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG, in pixels; None if it is no PNG."""
    if len(png) < 24 or not png.startswith(b"\x89PNG\r\n\x1a\n") or png[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def _png(width: int, kind: int, pixel: Callable[[float], bytes]) -> bytes:
    rows = b"".join(b"\0" + b"".join(map(pixel, row)) for row in _drawn(width))
    header = struct.pack(">IIBBBBB", width, width, 8, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@cache
def _drawn(width: int) -> tuple[tuple[float, ...], ...]:
    """Return how much of each pixel is white, row by row. It takes a second: half a million samples."""
    return tuple(tuple(_white(x, y, width) for x in range(width)) for y in range(width))


def _white(x: int, y: int, width: int) -> float:
    """Return how much of a pixel is white."""
    steps = [(step + 0.5) / _FINE for step in range(_FINE)]
    return sum(_is_white((x + right) / width, (y + down) / width) for right in steps for down in steps) / _FINE**2


def _is_white(x: float, y: float) -> bool:
    bubble = _in_box(x, y, _BUBBLE, 0.1) or _in_triangle(x, y, _TAIL)
    return bubble and not (_in_box(x, y, _SHAFT, 0) or _in_triangle(x, y, _HEAD))


def _in_box(x: float, y: float, box: tuple[Point, Point], radius: float) -> bool:
    low, high = box
    across = max(low[0] + radius - x, 0, x - high[0] + radius)
    down = max(low[1] + radius - y, 0, y - high[1] + radius)
    return across**2 + down**2 <= radius**2


def _in_triangle(x: float, y: float, corners: tuple[Point, Point, Point]) -> bool:
    sides = zip(corners, (*corners[1:], corners[0]), strict=True)
    turns = [(bx - ax) * (y - ay) - (by - ay) * (x - ax) for (ax, ay), (bx, by) in sides]
    return all(turn <= 0 for turn in turns) or all(turn >= 0 for turn in turns)
