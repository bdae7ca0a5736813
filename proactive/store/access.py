"""Where the storage account's services are, and what lets a request in: one of three things, by how it is configured.

    account key                SharedKey, a signature over the request
    shared access signature    part of every address
    identity                   a bearer token

Source: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key and
`authorize-with-azure-active-directory` there.
"""

import base64
import hmac
import time
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from proactive.rooms import room
from proactive.settings import StorageAccount
from proactive.store.errors import StorageAway

type Service = Literal["queue", "table"]

_SCOPE = "https://storage.azure.com/.default"
_VERSIONS: dict[Service, str] = {"queue": "2021-12-02", "table": "2019-02-02"}


class Request(NamedTuple):
    """A request to one of an account's services: `path` is quoted, `query` is not."""

    service: Service
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


class Access:
    """Lets requests into one storage account. `addresses` holds what the addresses of each service begin with.

    Raises `StorageAway` for a connection string that cannot be used.
    """

    def __init__(self, settings: StorageAccount, credential: Any) -> None:
        """Take the token `credential` for an account that is reached by identity."""
        self.addresses: dict[Service, str] = {"queue": settings.queue_url, "table": settings.table_url}
        self.suffix = ""
        self._name, self._key, self._credential = "", b"", credential
        self._second, self._date = 0, ""
        if settings.connection_string:
            self._credential = None
            self._read(settings.connection_string)
        self.addresses = {service: address.rstrip("/") for service, address in self.addresses.items()}
        self._prefixes = {service: urlsplit(address).path for service, address in self.addresses.items()}

    def _read(self, connection_string: str) -> None:
        pairs = (part.partition("=") for part in connection_string.split(";"))
        parts = {name.strip().lower(): value for name, _, value in pairs}
        self._name = parts.get("accountname", "")
        scheme = parts.get("defaultendpointsprotocol", "https")
        domain = parts.get("endpointsuffix", "core.windows.net")
        for service in self.addresses:
            named = parts.get(f"{service}endpoint")
            self.addresses[service] = named or f"{scheme}://{self._name}.{service}.{domain}"
        try:
            self._key = base64.b64decode(parts.get("accountkey", ""))
        except ValueError:
            raise StorageAway("AzureWebJobsStorage has an AccountKey that is not base64") from None
        if not self._key:
            self.suffix = parts.get("sharedaccesssignature", "").lstrip("?")

    async def headers(self, request: Request) -> dict[str, str]:
        """Return the headers that let a request in, made now: a repeated one needs them anew.

        Raises `StorageAway` when there is no token.
        """
        now = int(time.time())
        if now != self._second:
            self._second, self._date = now, formatdate(now, usegmt=True)
        version = _VERSIONS[request.service]
        headers = {"x-ms-date": self._date, "x-ms-version": version}
        if self._key:
            kind = request.headers.get("Content-Type", "")
            what = f"/{self._name}{self._prefixes[request.service]}{request.path}"
            if request.service == "table":
                to_sign = f"{request.method}\n\n{kind}\n{self._date}\n{what}"
            else:
                parameters = "".join(f"\n{name}:{request.query[name]}" for name in sorted(request.query))
                to_sign = (
                    f"{request.method}\n\n\n{len(request.body) or ''}\n\n{kind}\n\n\n\n\n\n\n"
                    f"x-ms-date:{self._date}\nx-ms-version:{version}\n{what}{parameters}"
                )
            signature = base64.b64encode(hmac.digest(self._key, to_sign.encode(), "sha256")).decode()
            headers["Authorization"] = f"SharedKey {self._name}:{signature}"
        elif self._credential is not None:
            headers["Authorization"] = f"Bearer {await self._token()}"
        return headers

    async def _token(self) -> str:
        await room("azure.core.credentials")  # the credential imports it, which would hold the loop
        errors = await room("azure.core.exceptions")
        try:
            return str((await self._credential.get_token(_SCOPE)).token)
        except errors.AzureError as error:
            raise StorageAway(f"storage was not asked: {type(error).__name__}") from error
