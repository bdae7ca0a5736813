"""The schemas of what the doors answer, for the OpenAPI document."""

from typing import Any

from proactive.model import SendStatus, State

type Json = dict[str, Any]


def members(optional: tuple[str, ...] = (), /, **properties: Json) -> Json:
    """Return the schema of an object, all of whose members are required but the `optional` ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def or_null(schema: Json, description: str = "") -> Json:
    """Return the schema of something that may be null."""
    return {**schema, "type": [schema["type"], "null"], **({"description": description} if description else {})}


def list_of(of: Json) -> Json:
    """Return the schema of an array."""
    return {"type": "array", "items": of}


def ref(name: str, kind: str = "schemas") -> Json:
    """Return a reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


TEXT: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 0}
FLAG: Json = {"type": "boolean"}
URL: Json = {"type": "string", "format": "uri"}
MOMENT: Json = {"type": "string", "format": "date-time"}
ID: Json = {"type": "string", "pattern": "^[a-z2-7]{26}$"}
STATUS: Json = {"type": "string", "enum": [status.value for status in SendStatus]}
STATE: Json = {"type": "string", "enum": [state.value for state in State]}
PAGE = or_null(TEXT, "Where the next page begins; null at the end")

RESPONSE: Json = {
    "submitActionId": TEXT,
    "actionId": or_null(TEXT),
    "data": {"description": "The action's own data and the inputs"},
    "responder": members(
        objectId=TEXT, tenantId=TEXT, email=or_null(TEXT), userPrincipalName=or_null(TEXT), displayName=or_null(TEXT)
    ),
    "responseTime": MOMENT,
    "messageId": TEXT,
    "messageLink": URL,
}
CALLBACK: Json = {
    "state": {"enum": ["pending", "accepted", "givenUp"]},
    "attempts": list_of(members(at=MOMENT, statusCode=or_null({"type": "integer"}), error=or_null(TEXT))),
}
CALLBACK_OF_EVENT = members(event=TEXT, **CALLBACK)

_SEND: tuple[tuple[str, ...], Json] = (
    ("verb", "of", "sendAt", "cancelledAt", "completedAt", "waitUntil", "callback", "callbacks"),
    {
        "id": ID, "status": STATUS, "bot": TEXT, "tenant": TEXT, "verb": {"enum": ["retry", "update", "recall"]},
        "of": ID, "counts": ref("Counts"), "createdAt": MOMENT, "sendAt": MOMENT, "cancelledAt": MOMENT,
        "completedAt": MOMENT, "deliverUntil": MOMENT, "waitUntil": MOMENT, "options": ref("Options"),
        "statusUrl": URL, "resultsUrl": URL, "callback": ref("Callback"), "callbacks": list_of(CALLBACK_OF_EVENT),
    },
)  # fmt: skip

ANSWERS: Json = {
    "Problem": {
        **members(
            ("errors",), type=TEXT, title=TEXT, status={"type": "integer"}, detail=TEXT,
            errors=list_of(members(pointer=TEXT, detail=TEXT)),
        ),
        "description": "What is wrong (RFC 9457). `pointer` is a JSON pointer, or `?` and a query parameter",
    },
    "Accepted": members(id=ID, status={"const": "accepted"}, statusUrl=URL, outcomeUrl=URL),
    "Counts": {
        **members(**dict.fromkeys(
            ("total", "pending", "delivered", "notInstalled", "chatActive", "failed", "unknown", "cancelled",
             "responded"), COUNT)),
        "description": "All but `total` and `responded` sum to `total`",
    },
    "Send": members(_SEND[0], **_SEND[1]),
    "Result": members(
        recipient=TEXT, userId=or_null(TEXT), state=STATE,
        statusCode={"enum": [200, 100, 300, 404, 409, 413, 502, 504, None]},
        succeeded=or_null(FLAG), reason=or_null(TEXT), messageId=or_null(TEXT), conversationId=or_null(TEXT),
        attempts=COUNT, deliveredAt=or_null(MOMENT), response={"anyOf": [ref("Response"), {"type": "null"}]},
    ),
    "Results": members(results=list_of(ref("Result")), continuation=PAGE),
    "Outcome": members(
        ("messageId", "callback", "callbacks", "responses", *RESPONSE),
        id=ID, outcome={"enum": ["completed", "responded", "timedOut", "notDelivered", "cancelled"]},
        statusCode={"enum": [200, 100, 207, 300, 404, 409, 413, 502, 504]}, succeeded=FLAG,
        counts=ref("Counts"), results=list_of(ref("Result")), resultsUrl=URL,
        callback=ref("Callback"), callbacks=list_of(CALLBACK_OF_EVENT), responses=list_of(ref("Response")), **RESPONSE,
    ),
    "Response": members(**RESPONSE),
    "Responses": members(responses=list_of(ref("Response")), continuation=PAGE),
    "Callback": members(**CALLBACK),
    "Progress": members(id=ID, status=STATUS, counts=ref("Counts")),
    "Preview": members(
        dryRun={"const": True}, bot=TEXT, tenant=TEXT,
        counts={**members(**dict.fromkeys(
                    ("total", "wouldSend", "wouldAsk", "wouldInstall", "postponed", "notInstalled", "chatActive",
                     "failed"), COUNT)),
                "description": "All but `total` sum to `total`"},
        complete={**FLAG, "description": "False where not everybody was looked at"},
        recipients=list_of(members(
            recipient=TEXT, userId=or_null(TEXT),
            state={"enum": ["wouldSend", "wouldAsk", "wouldInstall", "postponed", "notInstalled", "chatActive",
                            "failed"]},
            statusCode={"enum": [100, 300, 404, 413, 502, None]}, reason=or_null(TEXT),
        )),
        groups=list_of(members(
            ("group", "team"), group=TEXT, team=TEXT, total=COUNT,
            notInstalled={**COUNT, "description": "How many of them do not have the bot"},
            complete=FLAG, reason=or_null(TEXT, "Why it could not be read"),
        )),
        message=members(format={"enum": ["card", "markdown", "plain", "xml"]}, bytes=COUNT, most=COUNT),
        seconds={"type": "number", "minimum": 0, "description": "About how long the delivery takes"},
        inTime={**FLAG, "description": "Whether that is within `deliverWithin`"},
    ),
    "Held": members(bot=TEXT, tenants=list_of(TEXT), paused=FLAG),
    "Bots": members(bots=list_of(members(
        ("paused",), name=TEXT, appId=or_null(TEXT), tenants=list_of(TEXT),
        paused={**list_of(TEXT), "description": "For operators: the tenants in which it is held"},
    ))),
    "User": members(
        user=TEXT, userId=or_null(TEXT), installed=FLAG, chatActive=FLAG, lastActivityAt=or_null(MOMENT),
        reason=or_null(
            {"type": "string", "enum": ["notInstalled", "blocked", "disabledByAdmin", "noPermission", None]},
            "Why a message would not be sent to the person; null where it would",
        ),
    ),
    "Listed": members(_SEND[0], **_SEND[1], about=or_null(TEXT, "The summary, or how the content begins")),
    "Sends": members(sends=list_of(ref("Listed")), continuation=PAGE),
    "SentContent": members(
        ("message", "card", "data"), message=members(text=TEXT, format=TEXT), card={"type": "object"},
        summary=or_null(TEXT), data={"type": "object"},
    ),
    "SentMessage": members(
        ("message", "card", "verb", "of"),
        sendId=ID, verb={"enum": ["retry", "update", "recall"]}, of=ID,
        createdAt=MOMENT, state=STATE, statusCode={"enum": [200, 100, 300, 404, 409, 413, 502, 504, None]},
        reason=or_null(TEXT), deliveredAt=or_null(MOMENT), messageId=or_null(TEXT),
        message=members(text=TEXT, format=TEXT), card={"type": "object"}, summary=or_null(TEXT),
        response={"anyOf": [ref("Response"), {"type": "null"}]}, statusUrl=URL,
    ),
    "Messages": members(messages=list_of(ref("SentMessage")), continuation=PAGE),
    "Conversation": members(
        conversationId=or_null(TEXT), serviceUrl=or_null(TEXT), memberId=or_null(TEXT), botId=or_null(TEXT),
        installed=FLAG, installedAt=or_null(MOMENT), referencedAt=or_null(MOMENT), lastMessageAt=or_null(MOMENT),
        idleAt=or_null(MOMENT), refusal=or_null(TEXT), refusedAt=or_null(MOMENT), rosterAskedAt=or_null(MOMENT),
        displayName=or_null(TEXT), email=or_null(TEXT), userPrincipalName=or_null(TEXT), activities=list_of(TEXT),
    ),
    "Data": members(
        user=TEXT, userId=or_null(TEXT), bot=TEXT, tenant=TEXT,
        conversation={"anyOf": [ref("Conversation"), {"type": "null"}]},
        aliases=list_of(members(name=TEXT, kinds=list_of(TEXT))), messages=list_of(ref("SentMessage")),
        continuation=PAGE,
    ),
    "Begun": members(detail=TEXT),
    "Rejected": members(
        rejected=list_of(members(
            rejectedAt=MOMENT, messageId=TEXT, poisonMessageId=or_null(TEXT), statusCode={"type": "integer"},
            reason=TEXT,
        )),
        continuation=PAGE,
    ),
    "Health": members(status=TEXT),
}  # fmt: skip

ACTIVITY: Json = {
    **members(
        ("id", "timestamp"), type=TEXT, id=TEXT, timestamp=MOMENT, channelId={"const": "msteams"}, serviceUrl=URL,
        recipient={"type": "object"}, conversation=members(id=TEXT),
        **{"from": members(id=TEXT)},
    ),
    "description": "An activity of the Bot Framework, as Teams sends it",
}  # fmt: skip
