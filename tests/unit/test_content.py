"""The activity that goes out to Teams, and how large Teams finds it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proactive.content import CARD_TYPE, activity, encode, size_error
from proactive.model import Entry, Options, Request

ADA = [Entry("person", "ada@contoso.com")]
BOT_ID = "28:11111111-2222-3333-4444-555555555555"
CARD = {"type": "AdaptiveCard", "version": "1.5", "body": []}


def request(**changes: Any) -> Request:
    return Request(recipients=ADA, **changes)


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le"))


@pytest.mark.parametrize("text_format", ["markdown", "plain", "xml"])
def test_a_text_goes_out_with_its_format(text_format: Any) -> None:
    assert activity(request(message="*Hi*", text_format=text_format), BOT_ID) == {
        "type": "message",
        "text": "*Hi*",
        "textFormat": text_format,
    }


def test_a_card_goes_out_as_the_only_attachment_and_without_text_since_teams_splits_a_message_with_both() -> None:
    assert CARD_TYPE == "application/vnd.microsoft.card.adaptive"
    assert activity(request(card=CARD, summary="Order 4711 is ready"), BOT_ID) == {
        "type": "message",
        "attachments": [{"contentType": CARD_TYPE, "content": CARD}],
        "summary": "Order 4711 is ready",
    }


def test_without_a_summary_there_is_none() -> None:
    assert "summary" not in activity(request(card=CARD), BOT_ID)


@pytest.mark.parametrize("content", [{"message": "Hi"}, {"card": CARD}])
def test_a_notification_is_labelled_by_what_teams_documents(content: dict[str, Any]) -> None:
    labelled = activity(request(**content, options=Options(label_as_notification=True)), BOT_ID)
    channel_data = labelled.pop("channelData")
    assert channel_data["notification"] == {"alert": True}
    (on_behalf,) = channel_data["onBehalfOf"]
    assert on_behalf == {"itemid": 0, "mentionType": "person", "mri": BOT_ID, "displayName": "Notification"}
    assert labelled == activity(request(**content), BOT_ID)


def test_an_activity_is_posted_as_compact_utf_8() -> None:
    content = {"type": "message", "text": "Grüße 😀"}
    assert encode(content) == '{"type":"message","text":"Grüße 😀"}'.encode()


@pytest.mark.parametrize("text", ["", "Hi", "Grüße", "日本語", "😀", "a😀b", '"\\\n', "\u2028", "\x00"])
def test_size_is_counted_as_utf_16_over_the_whole_payload(text: str) -> None:
    # GIVEN an activity, whose JSON is what travels
    content = activity(request(message=text), BOT_ID)
    size = utf16(json.dumps(content, ensure_ascii=False, separators=(",", ":")))
    # WHEN just as many bytes are allowed THEN it fits, and with one less it does not
    assert size_error("/message", content, size) is None
    error = size_error("/message", content, size - 1)
    assert error is not None
    assert error.pointer == "/message"
    assert f"{size} bytes" in error.detail
    assert f"{size - 1} " in error.detail


def test_a_character_beyond_the_basic_plane_counts_as_four_bytes() -> None:
    empty = utf16(encode({"text": ""}).decode())
    for text, size in (("a", 2), ("é", 2), ("日", 2), ("😀", 4), ("👩‍🚀", 10)):
        assert size_error("", {"text": text}, empty + size) is None
        assert size_error("", {"text": text}, empty + size - 1) is not None


@given(st.text(max_size=50), st.integers(0, 300))
def test_content_fits_exactly_when_its_utf_16_does(text: str, most: int) -> None:
    content = {"text": text}
    assert (size_error("", content, most) is None) == (utf16(encode(content).decode()) <= most)
    assert json.loads(encode(content)) == content
