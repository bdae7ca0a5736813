"""The two icons of the Teams app, drawn: a speech bubble from which an arrow sets out."""

import struct
from functools import cache

from local import drawing
from local.drawing import Point, Triangle, in_box, in_triangle

COLOUR_SIZE = 192  # pixels each way, as the manifest's schema asks for
OUTLINE_SIZE = 32
_FINE = 4  # samples each way in a pixel, for smooth edges

# Places are parts of the icon's width and height.
_BUBBLE: tuple[Point, Point] = ((0.14, 0.16), (0.86, 0.68))
_TAIL: Triangle = ((0.30, 0.64), (0.30, 0.86), (0.52, 0.64))
_SHAFT: tuple[Point, Point] = ((0.28, 0.37), (0.56, 0.47))
_HEAD: Triangle = ((0.54, 0.27), (0.54, 0.57), (0.74, 0.42))


def colour(ground: str) -> bytes:
    """Return the colour icon as PNG (RGB): white on `ground`, as in `#3a4fb0`."""
    parts = bytes.fromhex(ground.removeprefix("#"))
    rows = ((drawing.white_on(parts, white) for white in row) for row in _drawn(COLOUR_SIZE))
    return drawing.png(COLOUR_SIZE, drawing.RGB, rows)


def outline() -> bytes:
    """Return the outline icon as PNG (RGBA): nothing but white, which Teams tints, on a transparent ground."""
    rows = ((bytes((255, 255, 255, round(255 * white))) for white in row) for row in _drawn(OUTLINE_SIZE))
    return drawing.png(OUTLINE_SIZE, drawing.RGBA, rows)


def size(png: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG, in pixels; None if it is no PNG."""
    if len(png) < 24 or not png.startswith(b"\x89PNG\r\n\x1a\n") or png[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@cache
def _drawn(width: int) -> tuple[tuple[float, ...], ...]:
    """Return how much of each pixel is white, row by row. It takes a second: half a million samples."""

    def is_white(x: float, y: float) -> bool:
        return _is_white(x / width, y / width)

    return tuple(tuple(drawing.filled(x, y, _FINE, is_white) for x in range(width)) for y in range(width))


def _is_white(x: float, y: float) -> bool:
    bubble = in_box(x, y, *_BUBBLE, 0.1) or in_triangle(x, y, _TAIL)
    return bubble and not (in_box(x, y, *_SHAFT, 0) or in_triangle(x, y, _HEAD))
