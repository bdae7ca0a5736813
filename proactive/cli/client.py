"""The service over HTTP: one request at a time, and what may go wrong as sentences."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from proactive.cli.errors import REFUSED, UNREACHABLE, USAGE, CommandError

if TYPE_CHECKING:
    from email.message import Message

_PATIENCE = 100.0  # seconds for one answer
_FOUND = (200, 201, 202, 204, 424)  # 424 is an outcome, not a refusal
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Answer(NamedTuple):
    """What the service said."""

    status: int
    headers: "Message[str, str]"
    text: str

    @property
    def body(self) -> Any:
        """The JSON value in it. Raises `CommandError` where there is none."""
        import json

        try:
            return json.loads(self.text)
        except ValueError:
            raise CommandError(UNREACHABLE, "What answered there is not this service: look at the address.") from None


@dataclass(frozen=True)
class Client:
    """The service at an address, seen through one of its doors: `ops` or `v1`."""

    url: str
    door: str
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        operators: bool = False,
    ) -> Answer:
        """Make a request at a path behind the door; `operators`: it stands behind theirs only.

        Raises `CommandError` where the answer is no good one.
        """
        if operators and self.door != "ops":
            raise CommandError(USAGE, "This is for operators: leave --door away, and use the key of ops.")
        asked = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        where = f"{self.url}/api/{self.door}{path}{'?' + urlencode(asked) if asked else ''}"
        answer = self._ask(method, where, body, {**self._proofs(), **(headers or {})})
        if answer.status in _FOUND:
            return answer
        raise self._refused(answer)

    def _proofs(self) -> dict[str, str]:
        proofs = {"x-functions-key": self.key, "Authorization": f"Bearer {self.token}" if self.token else ""}
        return {name: value for name, value in proofs.items() if value}

    def _ask(self, method: str, url: str, body: Any, headers: dict[str, str]) -> Answer:
        import http.client
        import json
        import urllib.error
        import urllib.request

        class NoRedirect(urllib.request.HTTPRedirectHandler):
            """Follows no redirect: the key must not go anywhere else."""

            def redirect_request(self, *_: Any, **__: Any) -> None:
                return None

        data = None
        if body is not None:
            data, headers = json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(url, data, {"User-Agent": "proactive", **headers}, method=method)  # noqa: S310 - checked
        try:
            with urllib.request.build_opener(NoRedirect).open(request, timeout=_PATIENCE) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode("utf-8", "replace"))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read().decode("utf-8", "replace"))
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", error)
            words = getattr(why, "strerror", None) or str(why) or type(why).__name__
            sentence = f"{self.url} cannot be reached ({words}): look at --url or PROACTIVE_URL."
            # What could not be written whole is a URLError; after that the service may have acted on it.
            raise CommandError(UNREACHABLE, sentence, in_doubt=not isinstance(error, urllib.error.URLError)) from None

    def _refused(self, answer: Answer) -> CommandError:
        status = answer.status
        problem: Any = None
        if "json" in (answer.headers.get("Content-Type") or ""):
            problem = answer.body
        problem = problem if isinstance(problem, dict) else {}
        detail, fields = str(problem.get("detail") or ""), problem.get("errors")
        fields = [one for one in fields if isinstance(one, dict)] if isinstance(fields, list) else []
        code = UNREACHABLE if status >= 500 else REFUSED
        if status in (401, 403) and not detail:
            detail = f"The key for the door {self.door} is missing or wrong: set PROACTIVE_KEY, or --entra-app."
        elif 300 <= status < 400:
            detail = "The app asks for a sign-in: give --entra-app, so that az signs you in."
        elif not detail:
            detail = f"{self.url} answered {status}: look at the address." if status < 500 else f"It answered {status}."
        return CommandError(code, f"{detail} ({status})", status=status, fields=fields, in_doubt=status >= 500)


def connect(url: str, door: str, key: str, token: str) -> Client:
    """Return the service at an address. Raises `CommandError` for an address or key that cannot be used.

    Neither is quoted: a key may stand in either.
    """
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None or not url.isprintable():
        raise CommandError(
            USAGE, "The address should be like https://contoso.azurewebsites.net: look at PROACTIVE_URL."
        )
    if (key or token) and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise CommandError(USAGE, "A key goes over https only: the address should begin with https://.")
    if not re.fullmatch(r"[\x21-\x7e]*", key.strip()) or not re.fullmatch(r"[\x21-\x7e]*", token):
        raise CommandError(USAGE, "The key holds characters that no key has: look at PROACTIVE_KEY.")
    base = url.strip().rstrip("/").removesuffix("/api")
    return Client(base, door, key.strip(), token)


def segment(text: str) -> str:
    """Return a text as a part of a path."""
    return quote(text, safe="")
