"""JSON from strangers: strict, with line and column for what is malformed, and never a crash."""

import json
import math
from typing import Any, NoReturn

from proactive.problems import FieldError, ProblemError

_MOST_DIGITS = 1000


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _whole_number(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError("a number is too large")
    return int(text)


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the member {json.dumps(name[:64])} stands twice in one object")
            seen.add(name)
    return members


def parse(data: bytes | str, pointer: str = "") -> Any:
    """Return the JSON value in `data`.

    Raises `ProblemError` 400 with the line and column at fault and `pointer` as the field that holds the text. Also
    refused: members that stand twice in one object (which one is meant?), NaN and numbers too large for JSON's
    readers, and halves of surrogate pairs, which no UTF-8 can carry on to Teams.
    """
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data.removeprefix("\ufeff")
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_number,
            parse_int=_whole_number,
            object_pairs_hook=_refuse_twins,
        )
        if "\\u" in text or not text.isascii():
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        where = f"{error.msg} at line {error.lineno}, column {error.colno}"
    except UnicodeDecodeError as error:
        where = f"it is not UTF-8 at byte {error.start}"
    except UnicodeEncodeError:
        where = "it holds half of a surrogate pair (\\ud800 to \\udfff alone)"
    except RecursionError:
        where = "it is nested too deeply"
    except ValueError as error:
        where = str(error)
    else:
        return value
    raise ProblemError(400, "The JSON is malformed.", [FieldError(pointer, f"Malformed JSON: {where}.")])


def canonical(value: Any) -> bytes:
    """Return the same bytes for the same JSON value, whatever the order of its members."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
