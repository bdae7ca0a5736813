"""An HTTP/1.1 answer as it comes in, piece by piece: status, fields, and a body in any of its three framings.

What is not HTTP/1.1 as RFC 9112 has it is an error: after that nobody can tell where the next answer would begin.
"""

import re
from typing import NamedTuple

LARGEST = 65_536  # bytes of a body; of more, this much is kept and the connection given up
_LARGEST_HEAD = 65_536  # bytes
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: .*)?")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}(?:[ \t]*;.*)?")
_LENGTH = re.compile(r"[0-9]{1,12}")
_BODILESS = (204, 304)


class MalformedReplyError(Exception):
    """What came is no HTTP/1.1 answer."""


class Reply(NamedTuple):
    """An answer. `fields` are the header fields by lower-case name; of a repeated one, the first counts."""

    status: int
    fields: dict[str, str]
    body: bytes


class ReplyReader:
    """Reads one answer, of whose body `largest` bytes are kept.

    Afterwards `reusable` tells whether its connection may carry another request.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self.reusable = False
        self._largest = largest
        self._said = b""  # and not read yet
        self._status = 0
        self._fields: dict[str, str] = {}
        self._body = b""
        self._left: int | None = 0  # bytes of the body, or of its chunk, still to come; None until the connection ends
        self._chunked = False
        self._in_chunk = False  # or right behind one, whose line has to end
        self._trailing = False  # behind the last chunk
        self._keeps = False

    def feed(self, data: bytes) -> Reply | None:
        """Take what has come; return the answer once it is whole. Raises `MalformedReplyError`."""
        self._said = self._said + data if self._said else data
        while not self._status:
            head = self._read_until(b"\r\n\r\n")
            if head is None:
                return None
            self._read_head(head)
        whole = self._read_chunks() if self._chunked else self._read_plain()
        if whole or len(self._body) > self._largest:
            self.reusable = whole and self._keeps and not self._said
            return Reply(self._status, self._fields, self._body[: self._largest])
        return None

    def end(self) -> Reply | None:
        """Return the answer that the end of its connection completes, if there is one."""
        return Reply(self._status, self._fields, self._body) if self._status and self._left is None else None

    def _read_until(self, end: bytes) -> bytes | None:
        """Return what stands before `end` and pass over both, or None while that has not come."""
        part, found, rest = self._said.partition(end)
        if found:
            self._said = rest
            return part
        if len(part) > _LARGEST_HEAD:
            raise MalformedReplyError
        return None

    def _read_head(self, head: bytes) -> None:
        first, *lines = head.split(b"\r\n")
        match = _STATUS_LINE.fullmatch(first)
        if match is None:
            raise MalformedReplyError
        status = int(match[2])
        if status < 200:
            return  # an interim answer: the real one follows
        fields: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or not name or name != name.strip():
                raise MalformedReplyError
            key, value = name.lower(), value.strip()
            if fields.setdefault(key, value) != value and key in ("content-length", "transfer-encoding"):
                raise MalformedReplyError  # two readers might see two different ends of it
        self._status, self._fields = status, fields
        options = [option.strip() for option in fields.get("connection", "").lower().split(",")]
        self._keeps = "close" not in options and (match[1] == b"1" or "keep-alive" in options)
        self._frame()

    def _frame(self) -> None:
        encoding, length = self._fields.get("transfer-encoding"), self._fields.get("content-length")
        if self._status in _BODILESS:
            self._left = 0
        elif encoding is not None:
            if encoding.lower() != "chunked" or length is not None:
                raise MalformedReplyError
            self._chunked = True
        elif length is not None:
            if not _LENGTH.fullmatch(length):
                raise MalformedReplyError
            self._left = int(length)
        else:
            self._left, self._keeps = None, False

    def _read_plain(self) -> bool:
        """Move what belongs to the body there; return whether that is all of it."""
        if self._left is None:
            self._body, self._said = self._body + self._said, b""
            return False
        self._take()
        return not self._left

    def _take(self) -> None:
        assert self._left is not None  # noqa: S101 - a body until the end of the connection is not counted
        part = self._said[: self._left]
        self._said = self._said[self._left :]
        self._left -= len(part)
        self._body = self._body + part if self._body else part

    def _read_chunks(self) -> bool:
        while len(self._body) <= self._largest:
            if self._left:
                self._take()
                self._in_chunk = True
                if self._left:
                    return False
            line = self._read_until(b"\r\n")
            if line is None:
                return False
            if self._trailing:
                if not line:
                    return True
            elif self._in_chunk:
                if line:
                    raise MalformedReplyError
                self._in_chunk = False
            elif _SIZE.fullmatch(line):
                self._left = int(line.partition(b";")[0], 16)
                self._trailing = not self._left
            else:
                raise MalformedReplyError
        return False
