"""Answers as they come over a wire: whole or in pieces, framed in three ways, or not HTTP at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proactive.reply import LARGEST, MalformedReplyError, Reply, ReplyReader


def read(said: bytes, *cuts: int) -> tuple[Reply | None, ReplyReader]:
    """Feed an answer in pieces; the reader must be content with the last one only."""
    reader, edges = ReplyReader(), sorted({min(cut, len(said)) for cut in cuts} - {0, len(said)})
    for start, end in zip([0, *edges], [*edges, len(said)], strict=True):
        reply = reader.feed(said[start:end])
        if end < len(said):
            assert reply is None, said[:end]
    return reply, reader


PLAIN = b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"id": "17"}'
CHUNKED = (
    b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;n=v\r\n{"id"\r\n7\r\n: "17"}\r\n0\r\nDone: yes\r\n\r\n'
)


@pytest.mark.parametrize("said", [PLAIN, CHUNKED])
def test_an_answer_is_read_wherever_it_is_cut(said):
    whole = [read(said)[0]]
    whole += [read(said, cut)[0] for cut in range(1, len(said))]
    whole.append(read(said, *range(len(said)))[0])
    assert {(reply.status, reply.body) for reply in whole if reply} == {(whole[0].status, b'{"id": "17"}')}
    assert all(whole)


@given(st.binary(max_size=300), st.lists(st.integers(1, 60), max_size=8), st.sets(st.integers(1, 900), max_size=6))
def test_a_body_comes_out_as_it_went_in_whatever_its_chunks(body, sizes, cuts):
    chunks, rest = [], body
    for size in sizes:
        chunks, rest = [*chunks, rest[:size]], rest[size:]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, rest] if chunk)
    for head, sent in (
        (b"Content-Length: %d" % len(body), body),
        (b"Transfer-Encoding: Chunked", framed + b"0\r\n\r\n"),
    ):
        reply, reader = read(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + sent, *cuts)
        assert reply is not None
        assert reply.body == body
        assert reader.reusable


def test_fields_are_read_by_lower_case_name():
    reply, _ = read(b"HTTP/1.1 429 \r\nRETRY-After:  7 \r\nX: a:b\r\nEmpty:\r\nContent-Length: 0\r\n\r\n")
    assert reply is not None
    assert reply.fields == {"retry-after": "7", "x": "a:b", "empty": "", "content-length": "0"}


@pytest.mark.parametrize(
    ("head", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, close", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive", True),
        (b"HTTP/1.1 204 No Content", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 44", True),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0", True),
    ],
)
def test_whether_the_connection_stays_is_the_answers_to_say(head, reusable):
    reply, reader = read(head + b"\r\n\r\n")
    assert reply is not None
    assert reply.status in (200, 204, 304)
    assert reader.reusable is reusable


def test_what_follows_an_answer_that_nobody_asked_for_ends_the_connection():
    reader = ReplyReader()
    assert reader.feed(PLAIN + b"HTTP/1.1 200 OK\r\n") == Reply(
        201, {"content-type": "application/json", "content-length": "12"}, b'{"id": "17"}'
    )
    assert not reader.reusable


def test_a_body_may_last_until_the_connection_ends():
    reader = ReplyReader()
    assert reader.feed(b"HTTP/1.1 502 Bad Gateway\r\n\r\nup") is None
    assert reader.feed(b"stream") is None
    assert reader.end() == Reply(502, {}, b"upstream")


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200", PLAIN[:-1], CHUNKED[:-2]])
def test_an_answer_that_breaks_off_is_none(said):
    reader = ReplyReader()
    assert reader.feed(said) is None
    assert reader.end() is None


@pytest.mark.parametrize(
    "head", [b"Content-Length: 9999999", b"Transfer-Encoding: chunked\r\n\r\nffffff", b"Connection: close"]
)
def test_more_than_anybody_reads_is_cut_off_and_its_connection_given_up(head):
    reader = ReplyReader()
    reply = reader.feed(b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + b"\r\n" * (b"chunked" not in head))
    for _ in range(20):
        assert reply is None
        reply = reader.feed(b"x" * 10_000)
        if reply:
            break
    assert reply is not None
    assert (reply.status, reply.body) == (400, b"x" * LARGEST)
    assert not reader.reusable


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: nameless\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 70_000,
    ],
)
def test_what_is_not_http_is_refused(said):
    with pytest.raises(MalformedReplyError):
        ReplyReader().feed(said)


@given(st.binary(max_size=200))
def test_nothing_makes_it_stumble(said):
    for start in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        reader = ReplyReader()
        try:
            reader.feed(start + said)
        except MalformedReplyError:
            continue
        reader.end()
