"""The operators' page: files without any secret. What it shows, it asks of `/api/ops` with the operator's key.

`/api/ui` is the page. All it loads stands under `/api/ui/<version>/…`, where the version is a hash of all the files: a
browser may keep them for ever, and a new deployment is seen at once.
"""

import asyncio
import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import azure.functions as func

from proactive.doors.answers import guarded
from proactive.problems import ProblemError
from proactive.service import Service

FOLDER = Path(__file__).resolve().parent.parent / "ui"
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_PAGE = "index.html"
_VERSION = "VERSION"  # stands in the page for the version

# Trusted Types let no text become markup or the address of a script, but by the policies that are named: the
# renderer's own, and ours that leads to the renderer. docs/decisions/0023 says what each is for.
SECURITY = {
    "Content-Security-Policy": "; ".join((
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
        "trusted-types renderer adaptivecards#deprecatedExportedFunctionPolicy adaptivecards#restoreContentsPolicy"
        " adaptivecards#markdownPassthroughPolicy",
    )),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is served: its type, its hash, and its bytes plain and compressed."""

    kind: str
    digest: str
    plain: bytes
    packed: bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """All files by their paths below `FOLDER`, with `/` between, and the version that they are together."""

    version: str
    files: dict[str, File]


async def door(service: Service, request: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - as every door
    """Answer `GET /api/ui` and `GET /api/ui/<version>/<file>`."""
    return await guarded(lambda: _answer(request))


async def _answer(request: func.HttpRequest) -> func.HttpResponse:
    if request.method not in ("GET", "HEAD"):
        raise ProblemError(405, "This address takes GET.", headers={"Allow": "GET, HEAD"})
    path = request.route_params.get("path", "")
    if not path and urlsplit(request.url).path.endswith("/"):
        # The page names its files relative to its own address.
        return func.HttpResponse(status_code=308, headers={**SECURITY, "Location": "../ui"})
    bundle = await asyncio.to_thread(read)
    if not path:
        return _served(request, bundle.files[_PAGE], "no-cache")
    version, _, name = path.partition("/")
    file = bundle.files.get(name)
    if file is None or name == _PAGE or not re.fullmatch(r"[0-9a-f]{16}", version):
        raise ProblemError(404, "There is nothing at this address.")
    # While a deployment goes on, a page of one version may ask an instance of another one: better the other than none.
    return _served(request, file, "public, max-age=31536000, immutable" if version == bundle.version else "no-store")


def _served(request: func.HttpRequest, file: File, caching: str) -> func.HttpResponse:
    packed = _takes_gzip(request.headers.get("accept-encoding", ""))
    etag = f'"{file.digest}{"-gzip" if packed else ""}"'
    headers = {**SECURITY, "Cache-Control": caching, "ETag": etag, "Vary": "Accept-Encoding"}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if etag in known or "*" in known:
        return func.HttpResponse(status_code=304, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
    body = file.packed if packed else file.plain
    return func.HttpResponse(body, status_code=200, headers=headers, mimetype=file.kind, charset="utf-8")


def _takes_gzip(accepted: str) -> bool:
    """Whether `Accept-Encoding` names gzip and does not refuse it (RFC 9110, 12.5.3)."""
    words = (word.replace(" ", "").lower().partition(";q=") for word in accepted.split(","))
    return any(name == "gzip" and not re.fullmatch(r"0(\.0*)?", quality) for name, _, quality in words)


@cache
def read() -> Bundle:
    """Read and compress the files, once in the life of a process."""
    paths = sorted(path for path in FOLDER.rglob("*") if path.suffix in KINDS)
    found = {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in paths}
    whole = hashlib.sha256()
    for name, body in found.items():
        whole.update(f"{name}\0{len(body)}\0".encode() + body)
    version = whole.hexdigest()[:16]
    found[_PAGE] = found[_PAGE].replace(_VERSION.encode(), version.encode())
    return Bundle(version, {name: _file(name, body) for name, body in found.items()})


def _file(name: str, body: bytes) -> File:
    packed = gzip.compress(body, 9, mtime=0)  # the same on every instance
    return File(KINDS[Path(name).suffix], hashlib.sha256(body).hexdigest()[:16], body, packed)
