"""A token issuer like the Bot Framework's, for testing who is let in at the bot's endpoint, and who is not."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

BOT_FRAMEWORK = "https://api.botframework.com"
ENDORSEMENTS = ("msteams", "webchat", "directline")
METADATA_PATH = "/.well-known/openidconfiguration"
KEYS_PATH = "/.well-known/keys"
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An RSA key with its id and the channels that it may sign for."""

    kid: str
    private: rsa.RSAPrivateKey
    endorsements: tuple[str, ...] | None

    @classmethod
    def make(cls, endorsements: tuple[str, ...] | None = ENDORSEMENTS) -> "SigningKey":
        """Return a fresh key. None leaves `endorsements` out of its published form."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return cls(
            base64.urlsafe_b64encode(hashlib.sha256(der).digest()[:20]).decode().rstrip("="), private, endorsements
        )

    def jwk(self) -> dict[str, Any]:
        """Return the public half as a JSON Web Key."""
        key = jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        key |= {"use": "sig", "kid": self.kid, "x5t": self.kid}
        key.pop("key_ops", None)
        return key if self.endorsements is None else key | {"endorsements": list(self.endorsements)}

    def public_pem(self) -> bytes:
        """Return the public half as PEM: what a careless verifier can be made to take for an HMAC secret."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class TokenIssuer:
    """Issues tokens, publishes its keys, and counts how often they are fetched. The last key of `keys` signs."""

    def __init__(self, issuer: str = BOT_FRAMEWORK, *, endorsements: tuple[str, ...] | None = ENDORSEMENTS) -> None:
        self.issuer = issuer
        self.keys = [SigningKey.make(endorsements)]
        self.metadata_fetches = 0
        self.jwks_fetches = 0

    def roll_over(self, *, keep: int = 1, endorsements: tuple[str, ...] | None = ENDORSEMENTS) -> SigningKey:
        """Publish and sign with a new key, and keep so many old ones published; return the new one."""
        self.keys = [*(self.keys[-keep:] if keep else ()), SigningKey.make(endorsements)]
        return self.keys[-1]

    def issue(
        self,
        app_id: str,
        service_url: str | None,
        *,
        alg: str = "RS256",
        key: SigningKey | None = None,
        headers: Mapping[str, Any] | None = None,
        **claims: object,
    ) -> str:
        """Return a token from Teams to this bot, good for an hour, or wrong in whatever way is asked for.

        `claims` replace claims (`iss`, `aud`, `exp`, `nbf`, `serviceurl`, …) and `headers` replace headers (`kid`, …);
        None leaves one out. `alg` may be RS256, RS384, RS512, `HS256` (signed with the public key as the secret) or
        `none`. `key` signs instead of the current one, and is published only if it is one of `keys`.
        """
        key = key or self.keys[-1]
        now = int(time.time())
        header = {"alg": alg, "typ": "JWT", "kid": key.kid, "x5t": key.kid}
        payload = {"iss": self.issuer, "aud": app_id, "nbf": now - 60, "exp": now + _HOUR, "serviceurl": service_url}
        head, body = _part(header | dict(headers or {})), _part(payload | claims)
        return f"{head}.{body}.{_base64(_sign(f'{head}.{body}'.encode(), alg, key))}"

    def jwks(self) -> dict[str, Any]:
        """Return the published keys."""
        return {"keys": [key.jwk() for key in self.keys]}

    def metadata(self, jwks_uri: str) -> dict[str, Any]:
        """Return the OpenID metadata."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": "https://invalid.botframework.com",
            "jwks_uri": jwks_uri,
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        }

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the metadata and of the keys."""

        async def metadata(request: web.Request) -> web.Response:
            self.metadata_fetches += 1
            return web.json_response(self.metadata(str(request.url.with_path(KEYS_PATH))))

        async def jwks(_: web.Request) -> web.Response:
            self.jwks_fetches += 1
            return web.json_response(self.jwks())

        return [web.get(METADATA_PATH, metadata), web.get(KEYS_PATH, jwks)]


def _sign(message: bytes, alg: str, key: SigningKey) -> bytes:
    if alg == "none":
        return b""
    if alg == "HS256":
        # PyJWT rightly refuses to do this.
        return hmac.digest(key.public_pem(), message, "sha256")
    return jwt.get_algorithm_by_name(alg).sign(message, key.private)


def _part(fields: Mapping[str, Any]) -> str:
    return _base64(json.dumps({name: value for name, value in fields.items() if value is not None}).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
