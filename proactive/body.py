"""The fields of a request to send, as a model: their kinds, their limits and their defaults."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from proactive.entries import MAX_ENTRIES, MAX_NAME
from proactive.problems import FieldError, pointer

_MAX_TEXT = 1_000_000

_Text = Annotated[StrictStr, Field(max_length=_MAX_TEXT)]
_Duration = Annotated[StrictStr, Field(json_schema_extra={"format": "duration"})]
_PERSON: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": MAX_NAME}
_OWN_DATA: dict[str, Any] = {"type": "object", "description": "Laid over `data`, member by member"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, validate_by_name=False, validate_by_alias=True)


class _Message(_Strict):
    text: Annotated[_Text, Field(min_length=1)]
    format: Literal["markdown", "plain", "xml"] = "markdown"


def _also_text(schema: dict[str, Any]) -> None:
    """Let the schema of `message` allow the short form, a text."""
    schema["anyOf"].append({"type": "string", "minLength": 1, "maxLength": _MAX_TEXT})


class _Wait(_Strict):
    update_message: Annotated[
        Any, WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"type": "object"}]})
    ] = "Thanks for your response!"
    timeout: _Duration = "P30D"
    complete_when: Literal["first", "all", "each"] = "first"


class _Options(_Strict):
    label_as_notification: StrictBool = False
    if_chat_is_active: Literal["send", "dontSendAndSucceed", "dontSendAndFail", "postpone"] = "send"
    if_bot_not_installed: Literal["fail", "succeedWithStatusCode", "install"] = "fail"
    if_outcome_unknown: Literal["resend", "leave"] = "resend"
    parallelism: Annotated[StrictInt, Field(ge=1, le=50)] = 20
    deliver_within: _Duration = "PT24H"


class SendBody(_Strict):
    """The body of `POST /api/v1/sends`, and of a message on the queue `sends`."""

    bot: Annotated[StrictStr, Field(max_length=64)] = ""
    tenant: Annotated[StrictStr, Field(max_length=64)] = ""
    recipients: Annotated[
        Any,
        WithJsonSchema(
            {
                "description": "People, or one text with ';' between them",
                "anyOf": [
                    {"type": "string", "minLength": 1},
                    {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": MAX_ENTRIES,
                        "items": {
                            "anyOf": [
                                _PERSON,
                                *(
                                    {
                                        "type": "object",
                                        "properties": {name: kind, **own},
                                        "required": [name],
                                        "additionalProperties": False,
                                    }
                                    for name, kind, own in (
                                        ("user", _PERSON, {"data": _OWN_DATA}),
                                        ("group", _PERSON, {"data": _OWN_DATA}),
                                        ("team", _PERSON, {"data": _OWN_DATA}),
                                        ("everyone", {"const": True}, {}),
                                    )
                                ),
                            ]
                        },
                    },
                ],
            }
        ),
    ]
    message: Annotated[
        _Message | None, BeforeValidator(lambda value: {"text": value} if isinstance(value, str) else value)
    ] = Field(None, json_schema_extra=_also_text)
    card: Annotated[
        Any,
        WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "string"}], "description": "An Adaptive Card"}),
    ] = None
    summary: Annotated[StrictStr, Field(max_length=1024)] = ""
    data: Annotated[
        Any, WithJsonSchema({"type": "object", "description": "What fills a card or message that is a template"})
    ] = None
    wait: _Wait | None = None
    callback_url: Annotated[StrictStr, Field(max_length=4096)] | None = None
    send_at: Annotated[StrictStr, Field(json_schema_extra={"format": "date-time"})] | None = None
    options: _Options = Field(default_factory=_Options)
    dry_run: StrictBool = False


def without_nulls(body: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out known fields that are null: flows hand over null for an optional field that was left empty."""

    def given(part: Mapping[str, Any], model: type[_Strict]) -> dict[str, Any]:
        known = {field.alias for field in model.model_fields.values()}
        return {name: value for name, value in part.items() if value is not None or name not in known}

    parts: dict[str, type[_Strict]] = {"options": _Options, "wait": _Wait}
    return {
        name: given(value, parts[name]) if name in parts and isinstance(value, Mapping) else value
        for name, value in given(body, SendBody).items()
    }


def field_errors(failure: ValidationError, body: Mapping[str, Any]) -> list[FieldError]:
    """Return what the model found wrong with a body, in sentences for whoever sent it."""
    return [_field_error(error, body) for error in failure.errors(include_url=False, include_context=False)]


def _field_error(error: Any, body: Mapping[str, Any]) -> FieldError:
    location = error["loc"]
    if location[:1] == ("message",) and isinstance(body.get("message"), str):
        location = ("message",)  # the short form has no members
    if error["type"] == "extra_forbidden":
        detail = "There is no such field: correct its name or leave it out."
    elif error["type"] == "model_type":
        detail = (
            "It should be an object." if location != ("message",) else "It should be a text, or an object with text."
        )
    else:
        detail = error["msg"].replace("Input should", "It should").replace("String should", "It should") + "."
    return FieldError(pointer(*location), detail)
