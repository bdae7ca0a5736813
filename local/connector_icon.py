"""The connector's icon, drawn: a speech bubble on the brand colour, from which an arrow sets out."""

import struct
import zlib

SIZE = 230  # pixels each way, as Power Platform asks for
_FINE = 3  # samples each way in a pixel, for smooth edges

type Point = tuple[float, float]

_TAIL: tuple[Point, Point, Point] = ((78, 140), (78, 182), (118, 140))
_ARROW_HEAD: tuple[Point, Point, Point] = ((134, 76), (134, 120), (164, 98))


def png(colour: str) -> bytes:
    """Return the icon as PNG (RGB, 8 bits)."""
    ground = bytes.fromhex(colour.removeprefix("#"))
    rows = b"".join(b"\0" + b"".join(_pixel(x, y, ground) for x in range(SIZE)) for y in range(SIZE))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _pixel(x: int, y: int, ground: bytes) -> bytes:
    if not (40 <= x <= 190 and 46 <= y <= 184):
        return ground  # far from all that is drawn
    steps = [(step + 0.5) / _FINE for step in range(_FINE)]
    white = sum(_is_white(x + right, y + down) for right in steps for down in steps) / _FINE**2
    return bytes(round(255 * white + part * (1 - white)) for part in ground)


def _is_white(x: float, y: float) -> bool:
    bubble = _in_rounded_box(x, y, (42, 48), (188, 148), 24) or _in_triangle(x, y, _TAIL)
    arrow = (68 <= x <= 138 and 90 <= y <= 106) or _in_triangle(x, y, _ARROW_HEAD)
    return bubble and not arrow


def _in_rounded_box(x: float, y: float, low: Point, high: Point, radius: float) -> bool:
    across = max(low[0] + radius - x, 0, x - high[0] + radius)
    down = max(low[1] + radius - y, 0, y - high[1] + radius)
    return across**2 + down**2 <= radius**2


def _in_triangle(x: float, y: float, corners: tuple[Point, Point, Point]) -> bool:
    sides = zip(corners, (*corners[1:], corners[0]), strict=True)
    turns = [(bx - ax) * (y - ay) - (by - ay) * (x - ax) for (ax, ay), (bx, by) in sides]
    return all(turn <= 0 for turn in turns) or all(turn >= 0 for turn in turns)
