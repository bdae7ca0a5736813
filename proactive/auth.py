"""Who posted an activity: the Bot Framework token on a call of `/api/messages`, checked strictly.

The rules are Microsoft Learn's "Authentication with the Bot Connector API", connector to bot. Three exceptions leave:

    Unauthorized     the token does not prove that Teams posted this activity to one of these bots (401)
    Forbidden        it does, but the activity wants its answers sent to a host that is not allowed (403)
    KeysUnavailable  nobody can tell: the signing keys could not be fetched and none are cached (503)

botbuilder's own check is not used: it is off when the app id is empty, skips the service URL when the activity has
none, can fail for a day when the signing keys roll over, and fetches them by blocking calls on the event loop.
"""

import asyncio
import contextlib
import importlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from proactive.clouds import PUBLIC, Cloud
from proactive.hosts import check_service_url

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from jwt import PyJWS

type Fetch = Callable[[str], Awaitable[dict[str, Any]]]

_SKEW = 5 * 60  # seconds that our clock and Microsoft's may differ by
_FRESH = 24 * 60 * 60  # seconds after which keys are fetched again in the background
_USABLE = 5 * 24 * 60 * 60  # seconds after which keys that could not be fetched again are no longer trusted
_REFRESH_INTERVAL = 60  # seconds between two refreshes of the keys that requests caused
_SMALLEST_KEY = 2048  # bits
_LONGEST_HEADER = 16 * 1024  # characters; Teams' are under 2,000
_LARGEST_METADATA = 1024 * 1024  # bytes
_FETCH_TIMEOUT = 5  # seconds

_log = logging.getLogger(__name__)


class Unauthorized(Exception):  # noqa: N818 - HTTP's own name for it, like the two below
    """The token does not prove that the activity is from Teams and for one of these bots. Never holds token content."""


class Forbidden(Exception):  # noqa: N818
    """The token is good, but the activity's service URL is on a host that bot tokens must not be sent to."""


class KeysUnavailable(Exception):  # noqa: N818
    """The signing keys could not be fetched and none are cached that could still be used."""


class Authenticator:
    """Checks the tokens on inbound activities, for all bots of this deployment.

    `app_ids` are the audiences to accept, `service_hosts` the exact hosts that answers may go to; `allow_loopback` adds
    loopback addresses to those. Only tokens of Teams in `cloud` count. One instance serves one event loop, and should
    live as long as that.
    """

    def __init__(
        self,
        app_ids: Collection[str],
        service_hosts: Collection[str],
        *,
        allow_loopback: bool,
        cloud: Cloud = PUBLIC,
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # App ids are GUIDs, which people write in either case. An empty one must open nothing.
        self._app_ids = {app_id.lower(): app_id for app_id in app_ids if app_id}
        self._service_hosts = service_hosts
        self._allow_loopback = allow_loopback
        self._issuer = cloud.issuer
        self._keys = _SigningKeys(cloud, fetch or _fetch_json, clock)
        self._clock = clock
        self._jws: PyJWS | None = None

    async def authenticate(self, authorization: str | None, activity: Mapping[str, Any]) -> str:
        """Return the app id that the token in an `Authorization` header was issued for, as it was configured.

        Raises `Unauthorized`, `Forbidden` or `KeysUnavailable`.
        """
        channel_id, service_url = activity.get("channelId"), activity.get("serviceUrl")
        if not isinstance(channel_id, str) or not isinstance(service_url, str):
            raise Unauthorized("The activity has no channelId or no serviceUrl.")
        claims, endorsements = await self._verify(_bearer_token(authorization))

        audience = claims.get("aud")
        app_id = self._app_ids.get(audience.lower()) if isinstance(audience, str) else None
        if app_id is None:
            raise Unauthorized("The token is for another bot.")
        self._check_times(claims)
        # Microsoft writes the claim in lower case and documents it in camel case.
        claimed = [claims[name] for name in ("serviceurl", "serviceUrl") if name in claims]
        if not claimed or not all(isinstance(url, str) and _same_url(url, service_url) for url in claimed):
            raise Unauthorized("The token is not for the activity's service URL.")
        if channel_id not in endorsements:
            raise Unauthorized("The token's signing key is not endorsed for the activity's channel.")
        if not check_service_url(service_url, self._service_hosts, self._allow_loopback):
            raise Forbidden("The activity's service URL is on a host that bot tokens are not sent to.")
        return app_id

    async def _verify(self, token: str) -> tuple[dict[str, Any], frozenset[str]]:
        """Return the claims of a token whose signature is good, and what its key is endorsed for."""
        if self._jws is None:
            await asyncio.to_thread(importlib.import_module, "jwt")  # 110 ms, with cryptography
        import jwt

        self._jws = jws = self._jws or jwt.PyJWS(algorithms=["RS256"])
        try:
            unverified = jws.decode_complete(token, options={"verify_signature": False})
            issuer = _json_object(unverified["payload"]).get("iss")
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise Unauthorized("The token is malformed.") from None
        key_id = unverified["header"].get("kid")
        if unverified["header"].get("alg") != "RS256" or not isinstance(key_id, str):
            raise Unauthorized("The token is not signed with RS256, or does not say with which key.")
        # Until the signature is checked, what the token says is used to choose among known things and for nothing else.
        if issuer != self._issuer:
            raise Unauthorized("The token is from another issuer.")
        key = await self._keys.find(key_id)
        if key is None:
            raise Unauthorized("The token is signed with an unknown key.")
        try:
            verified = jws.decode_complete(token, key.public, algorithms=["RS256"])
        except jwt.PyJWTError:
            raise Unauthorized("The token's signature is wrong.") from None
        return _json_object(verified["payload"]), key.endorsements

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        expires, not_before, now = claims.get("exp"), claims.get("nbf"), self._clock()
        if not _is_time(expires) or not _is_time(not_before):
            raise Unauthorized("The token has no exp or no nbf.")
        if now >= expires + _SKEW:
            raise Unauthorized("The token has expired.")
        if now < not_before - _SKEW:
            raise Unauthorized("The token is not valid yet.")


@dataclass(frozen=True)
class _Key:
    public: "RSAPublicKey"
    endorsements: frozenset[str]


class _SigningKeys:
    """A cloud's signing keys by key id: fetched when first needed, then kept fresh.

        fetched           24 h                     5 days
        │ used            │ used, and fetched      │ fetched first: without that,
        │                 │ in the background      │ KeysUnavailable
        └─ an unknown key id: fetched at once, at most once a minute ─┘

    A fetch that fails leaves the keys as they are. However many requests want one, there is one fetch at a time.
    """

    def __init__(self, cloud: Cloud, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._cloud = cloud
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, _Key] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._asked_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> _Key | None:
        """Return a key, or None when this cloud has no such key. Raises `KeysUnavailable`."""
        age = self._clock() - self._fetched_at
        if age >= _USABLE:
            await self._refresh()
            return self._keys.get(key_id)
        if age >= _FRESH and self._clock() - self._tried_at >= _REFRESH_INTERVAL:
            self._start()
        if key_id not in self._keys and self._may_ask():
            try:
                await self._refresh()
            except KeysUnavailable:
                return None  # the keys at hand can still be used, and this is none of them
        return self._keys.get(key_id)

    def _may_ask(self) -> bool:
        """Tell whether an unknown key id may wait for a fetch: one under way, or one a minute of its own."""
        if self._fetching is None:
            if self._clock() - self._asked_at < _REFRESH_INTERVAL:
                return False
            self._asked_at = self._clock()
        return True

    async def _refresh(self) -> None:
        # Shielded, since a request that is cancelled must not end the fetch that others wait for.
        await asyncio.shield(self._start())

    def _start(self) -> asyncio.Task[None]:
        if self._fetching is None:
            self._tried_at = self._clock()
            self._fetching = asyncio.create_task(self._fetch_keys())
            self._fetching.add_done_callback(self._finish)
        return self._fetching

    async def _fetch_keys(self) -> None:
        try:
            metadata = await self._fetch(self._cloud.metadata_url)
            keys = _read_keys(await self._fetch(metadata["jwks_uri"]))
        except Exception as error:
            raise KeysUnavailable(f"The signing keys of {self._cloud.issuer} could not be fetched.") from error
        self._keys = keys
        self._fetched_at = self._tried_at

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._fetching = None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.warning("%s (%s)", error, type(error.__cause__).__name__)


def _read_keys(document: Mapping[str, Any]) -> dict[str, _Key]:
    """Read a JSON Web Key Set (RFC 7517), without what could sign no token: one odd key must not cost the others.

    Raises `ValueError` when no key is left, so that an empty answer never replaces good keys.
    """
    keys: dict[str, _Key] = {}
    for item in document["keys"]:
        with contextlib.suppress(KeyError, ValueError, TypeError, AttributeError):
            keys[item["kid"]] = _read_key(item)
    if not keys:
        raise ValueError("no usable keys")
    return keys


def _read_key(item: Mapping[str, Any]) -> _Key:
    from jwt.algorithms import RSAAlgorithm
    from jwt.exceptions import InvalidKeyError

    try:
        # These fields only: with the private ones it would read a private key.
        public = cast("RSAPublicKey", RSAAlgorithm.from_jwk({name: item[name] for name in ("kty", "n", "e")}))
    except InvalidKeyError:
        raise ValueError("not an RSA key") from None
    if public.key_size < _SMALLEST_KEY or item.get("use", "sig") != "sig":
        raise ValueError("not a key to sign tokens with")
    endorsements = item.get("endorsements")
    return _Key(public, frozenset(endorsements if isinstance(endorsements, list) else ()))


async def _fetch_json(url: str) -> dict[str, Any]:
    if not url.startswith("https://"):
        raise ValueError("metadata is fetched over https only")
    aiohttp = await asyncio.to_thread(importlib.import_module, "aiohttp")
    body = bytearray()
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_FETCH_TIMEOUT)) as session,
        session.get(url, allow_redirects=False) as response,
    ):
        if response.status != 200:
            raise ValueError("the metadata was not answered with 200")
        async for chunk in response.content.iter_chunked(64 * 1024):
            body += chunk
            if len(body) > _LARGEST_METADATA:
                raise ValueError("the metadata is too large")
    return _json_object(bytes(body))


def _bearer_token(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(token) <= _LONGEST_HEADER:
        raise Unauthorized("The Authorization header holds no bearer token.")
    return token


def _json_object(text: bytes) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - to callers this is one of the ways of being no JSON object
    return value


def _is_time(value: object) -> TypeGuard[float]:
    """Tell whether a claim is a time in seconds (RFC 7519 NumericDate): neither a text, a truth value, nor NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12


def _same_url(one: str, other: str) -> bool:
    return _folded(one) == _folded(other)


def _folded(url: str) -> str:
    """Return a URL without its trailing slash, with scheme and host in lower case: there case has no meaning."""
    scheme, colon, rest = url.removesuffix("/").partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{colon}{host.lower()}{slash}{path}"
