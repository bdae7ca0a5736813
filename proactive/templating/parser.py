"""Expressions: the text between `${` and `}` becomes a function of a scope.

The grammar is that of Adaptive Expressions (https://learn.microsoft.com/azure/bot-service/bot-builder-concept-adaptive-expressions),
where operators bind in this order:

    ! - + (unary)   ^   * / %   + -   == !=   &   < <= > >=   &&   ||   ??   ? :

A parser goes once over its tokens. How deep it may descend is limited, and so is what it makes: no expression can
exhaust the stack, here or when it is evaluated.
"""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from proactive.templating import functions
from proactive.templating.operators import (
    BINARY,
    Code,
    Work,
    both,
    chain,
    choose,
    coalesce,
    either,
    interpolated,
    made_array,
    made_object,
    negated,
    path,
    signed,
)
from proactive.templating.values import MISSING, ExpressionError, LimitError, Scope, member

LONGEST: Final = 4_096  # characters of an expression
MOST: Final = 2_000  # expressions in one template
DEEPEST: Final = 24  # brackets, calls, powers and choices inside one another
_MOST_SIGNS: Final = 4  # ! - and + before a value

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)"
    r"|(?P<name>(?:[^\W\d]|\$)\w*)"
    r"|(?P<string>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    r"|(?P<mark>=>|==|!=|<=|>=|&&|\|\||\?\?|[-+*/%^&<>!?:.,()\[\]{}`]))",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"', "`": "`", "$": "$"}
_OPENING: Final = re.compile(r"\\?\$\{")
# Teams' own references into `resources.strings` look like templates and are none.
_REFERENCE: Final = "${rs:"
_LEVELS: Final = (("||",), ("&&",), ("<", "<=", ">", ">="), ("&",), ("==", "!="), ("+", "-"), ("*", "/", "%"))
_CONSTANTS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None, "undefined": MISSING}


class Expression(NamedTuple):
    """An expression to be evaluated: its text, what it does, what one evaluation costs, whether it asks who gets it."""

    source: str
    code: Code
    cost: int
    personal: bool

    def value(self, scope: Scope) -> Any:
        """Return its value, or `MISSING`. Raises `ExpressionError` where there is none."""
        scope.budget.step(self.cost)
        return self.code(scope)


def split(text: str) -> list[str | Expression]:
    r"""Cut a text into what is written and what is to be evaluated. `\${` is a written `${`.

    Raises `ExpressionError`, with `source` as its second argument, for an expression that is malformed.
    """
    parts: list[str | Expression] = []
    literal, at, count = "", 0, 0
    while found := _OPENING.search(text, at):
        literal += text[at : found.start()]
        if found[0][0] == "\\" or text.startswith(_REFERENCE, found.start()):
            literal += "${"
            at = found.end()
            continue
        end = _closing(text, found.end())
        source = text[found.end() : end] if end >= 0 else text[found.end() : found.end() + 80]
        count += 1
        if count > MOST:
            raise LimitError(f"there are more than {MOST} expressions", source)
        if end < 0:
            too_long = len(text) - found.end() > LONGEST
            raise ExpressionError(f"it is longer than {LONGEST} characters" if too_long else "a } is missing", source)
        try:
            expression = parse(source)
        except ExpressionError as error:
            raise type(error)(str(error), source) from None
        parts += [literal, expression] if literal else [expression]
        literal, at = "", end + 1
    literal += text[at:]
    return [*parts, literal] if literal or not parts else parts


def _closing(text: str, at: int) -> int:
    """Return where the `}` stands that ends an expression, past quotes, brackets and interpolations; or -1."""
    around = ["{"]
    quote = ""
    most = min(len(text), at + LONGEST + 1)
    while at < most:
        sign = text[at]
        if sign == "\\" and (quote or around[-1] == "`"):
            at += 1
        elif quote:
            quote = "" if sign == quote else quote
        elif around[-1] == "`":
            if sign == "`":
                around.pop()
            elif text.startswith("${", at):
                around.append("{")
                at += 1
        elif sign in "'\"":
            quote = sign
        elif sign in "`{":
            around.append(sign)
        elif sign == "}":
            around.pop()
            if not around:
                return at
        at += 1
    return -1


def parse(source: str) -> Expression:
    """Return an expression. Raises `ExpressionError` that says what is wrong with its text."""
    return _Parser(source).whole()


class _Parser:
    def __init__(self, source: str, depth: int = 0, variables: frozenset[str] = frozenset()) -> None:
        if len(source) > LONGEST:
            raise LimitError(f"it is longer than {LONGEST} characters")
        self._source = source
        self._at = 0
        self._depth = depth
        self._variables = variables
        self._kind = ""
        self._word = ""
        self._next()
        self.cost = 0
        self.personal = False

    def whole(self) -> Expression:
        if not self._kind:
            raise ExpressionError("it is empty")
        code = self._expression()
        if self._kind:
            raise ExpressionError(f"{self._word[:20]!r} is not expected at character {self._at}")
        return Expression(self._source, code, self.cost, self.personal)

    def _next(self) -> None:
        found = _TOKEN.match(self._source, self._at)
        if found is None:
            rest = self._source[self._at :].strip()
            if rest:
                raise ExpressionError(f"{rest[:20]!r} is not understood")
            self._kind = self._word = ""
            return
        self._at = found.end()
        self._kind, self._word = found.lastgroup or "", found[found.lastgroup or 0]

    def _take(self, mark: str) -> bool:
        if self._kind != "mark" or self._word != mark:
            return False
        self._next()
        return True

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            found = f"not {self._word[:20]!r}" if self._kind else "but it ends"
            raise ExpressionError(f"{mark!r} is expected, {found}")

    def _expression(self) -> Code:
        self._descend()
        code = self._coalesced()
        if self._take("?"):
            one = self._expression()
            self._expect(":")
            self.cost += 1
            code = choose(code, one, self._expression())
        self._depth -= 1
        return code

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise LimitError(f"it is nested more than {DEEPEST} levels deep")

    def _coalesced(self) -> Code:
        codes = self._row("??", lambda: self._level(0))
        return coalesce(codes) if len(codes) > 1 else codes[0]

    def _level(self, level: int) -> Code:
        """Parse operators of one level and those that bind tighter. A chain of them is no deeper than one of them."""
        if level == len(_LEVELS):
            return self._power()
        if (mark := _LEVELS[level][0]) in ("||", "&&"):
            codes = self._row(mark, lambda: self._level(level + 1))
            return codes[0] if len(codes) == 1 else either(codes) if mark == "||" else both(codes)
        first = self._level(level + 1)
        rest: list[tuple[Work, Code]] = []
        while self._kind == "mark" and self._word in _LEVELS[level]:
            work = BINARY[self._word]
            self._next()
            self.cost += 1
            rest.append((work, self._level(level + 1)))
        return chain(first, rest) if rest else first

    def _row(self, mark: str, operand: Callable[[], Code]) -> list[Code]:
        codes = [operand()]
        while self._take(mark):
            self.cost += 1
            codes.append(operand())
        return codes

    def _power(self) -> Code:
        base = self._unary()
        if not self._take("^"):
            return base
        self._descend()
        exponent = self._power()
        self._depth -= 1
        self.cost += 1
        return chain(base, [(BINARY["^"], exponent)])

    def _unary(self) -> Code:
        marks = []
        while self._kind == "mark" and self._word in ("!", "-", "+"):
            marks.append(self._word)
            self._next()
            if len(marks) > _MOST_SIGNS:
                raise LimitError(f"more than {_MOST_SIGNS} signs stand before one value")
        code = self._primary()
        for mark in reversed(marks):
            self.cost += 1
            code = negated(code) if mark == "!" else signed(code, mark)
        return code

    def _primary(self) -> Code:
        self.cost += 1
        kind, word = self._kind, self._word
        if not kind:
            raise ExpressionError("it ends where a value is expected")
        if word == "`":
            code = self._interpolated()
        else:
            self._next()
            if kind == "number":
                code = _constant(_number(word))
            elif kind == "string":
                code = _constant(_ESCAPE.sub(_unescaped, word[1:-1]))
            elif kind == "name":
                code = self._call(word) if self._take("(") else self._named(word)
            elif word == "(":
                code = self._expression()
                self._expect(")")
            elif word == "[":
                code = made_array(self._list("]"))
            elif word == "{":
                code = self._object()
            else:
                raise ExpressionError(f"{word!r} is not expected at character {self._at}")
        return self._members(code)

    def _members(self, code: Code) -> Code:
        steps: list[str | Code] = []
        while self._kind == "mark" and self._word in (".", "["):
            self.cost += 1
            if self._take("."):
                name = self._word
                if self._kind != "name":
                    raise ExpressionError("a name is expected behind '.'")
                self._next()
                if self._kind == "mark" and self._word == "(":
                    raise ExpressionError(f"there are no methods: {name}(…) has to be a function")
                steps.append(name)
            else:
                self._next()
                steps.append(self._expression())
                self._expect("]")
        return path(code, steps) if steps else code

    def _named(self, name: str) -> Code:
        if name in self._variables:
            return lambda scope: scope.variables[name]
        match name:
            case "$data":
                return lambda scope: scope.data
            case "$root":
                return lambda scope: scope.root
            case "$index":
                return lambda scope: MISSING if scope.index is None else scope.index
            case "recipient":
                self.personal = True
                return lambda scope: scope.recipient
        if name in _CONSTANTS:
            return _constant(_CONSTANTS[name])
        return lambda scope: member(scope, scope.data, name)

    def _call(self, name: str) -> Code:
        if name in functions.LOOPS:
            return self._loop(name)
        arguments = self._list(")")
        return functions.call(name, arguments)

    def _loop(self, name: str) -> Code:
        """Parse `foreach(items, item, expression)`, or `foreach(items, item => expression)`, and the like."""
        items = self._expression()
        self._expect(",")
        variable = self._word
        if self._kind != "name" or variable.startswith("$"):
            raise ExpressionError(f"{name} needs a name for the item: {name}(items, item, …)")
        self._next()
        if not self._take("=>"):
            self._expect(",")
        before, around = self.cost, self._variables
        self._variables = around | {variable}
        body = self._expression()
        self._variables = around
        self._expect(")")
        return functions.LOOPS[name](items, variable, body, self.cost - before)

    def _list(self, end: str) -> list[Code]:
        found: list[Code] = []
        while not self._take(end):
            if found:
                self._expect(",")
            found.append(self._expression())
        return found

    def _object(self) -> Code:
        members: list[tuple[str, Code]] = []
        while not self._take("}"):
            if members:
                self._expect(",")
            kind, name = self._kind, self._word
            if kind not in ("name", "string"):
                raise ExpressionError("a member's name is expected")
            self._next()
            self._expect(":")
            members.append((name if kind == "name" else name[1:-1], self._expression()))
        return made_object(members)

    def _interpolated(self) -> Code:
        """Parse a text in backticks, with `${…}` in it."""
        source, at = self._source, self._at
        parts: list[str | Code] = [""]
        while at < len(source) and source[at] != "`":
            if source.startswith("${", at):
                end = _closing(source, at + 2)
                if end < 0:
                    raise ExpressionError("a } is missing")
                inner = _Parser(source[at + 2 : end], self._depth + 1, self._variables)
                parts += [inner.whole().code, ""]
                self.cost += inner.cost
                self.personal = self.personal or inner.personal
                at = end + 1
                continue
            sign = source[at : at + 2] if source[at] == "\\" else source[at]
            parts[-1] = f"{parts[-1]}{_ESCAPE.sub(_unescaped, sign)}"
            at += len(sign)
        if at >= len(source):
            raise ExpressionError("a ` is missing")
        self._at = at + 1
        self._next()
        return interpolated(parts)


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPED.get(found[1], found[0])


def _number(token: str) -> int | float:
    if token.isdecimal():
        if len(token) > 18:
            raise ExpressionError("a number is too long")
        return int(token)
    value = float(token)
    if value in (float("inf"), float("-inf")):
        raise ExpressionError("a number is too large")
    return value


def _constant(value: Any) -> Code:
    return lambda _: value
