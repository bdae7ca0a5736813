"""The connector's icon, drawn: a speech bubble on the brand colour, from which an arrow sets out."""

from local import drawing
from local.drawing import Triangle, in_box, in_triangle

SIZE = 230  # pixels each way, as Power Platform asks for
_FINE = 3  # samples each way in a pixel, for smooth edges

_TAIL: Triangle = ((78, 140), (78, 182), (118, 140))
_ARROW_HEAD: Triangle = ((134, 76), (134, 120), (164, 98))


def png(colour: str) -> bytes:
    """Return the icon as PNG (RGB, 8 bits)."""
    ground = bytes.fromhex(colour.removeprefix("#"))
    rows = ((_pixel(x, y, ground) for x in range(SIZE)) for y in range(SIZE))
    return drawing.png(SIZE, drawing.RGB, rows)


def _pixel(x: int, y: int, ground: bytes) -> bytes:
    if not (40 <= x <= 190 and 46 <= y <= 184):
        return ground  # far from all that is drawn
    return drawing.white_on(ground, drawing.filled(x, y, _FINE, _is_white))


def _is_white(x: float, y: float) -> bool:
    bubble = in_box(x, y, (42, 48), (188, 148), 24) or in_triangle(x, y, _TAIL)
    arrow = (68 <= x <= 138 and 90 <= y <= 106) or in_triangle(x, y, _ARROW_HEAD)
    return bubble and not arrow
