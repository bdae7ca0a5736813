"""One readable log on standard error: time, level, function, message."""

import logging
import sys

from azure_functions_runtime import invocation_id_cv

from local.host.protos import RpcException

SLOW_SECONDS = 10.0
_LIBRARIES = ("aiohttp", "asyncio", "azure", "botbuilder", "botframework", "msal", "msrest", "urllib3")

running: dict[str, str] = {}
"""Invocation id to function name, of what runs now."""

_host = logging.getLogger("local.host")


class _Line(logging.Formatter):
    default_msec_format = "%s.%03d"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(function)s  %(message)s", datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        invocation_id = invocation_id_cv.get()
        record.function = running.get(invocation_id, "host") if invocation_id else "host"
        return super().format(record)


def set_up(*, verbose: bool) -> None:
    """Send every log record to standard error: INFO and above, with `verbose` DEBUG too; of libraries only warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for name in _LIBRARIES:
        # At lower levels they log addresses with their queries, which hold secrets.
        logging.getLogger(name).setLevel(logging.WARNING)


def finished(seconds: float) -> None:
    """Say that the invocation under way succeeded."""
    level = logging.INFO if seconds >= SLOW_SECONDS else logging.DEBUG
    if _host.isEnabledFor(level):
        _host.log(level, "succeeded in %.3f s", seconds)


def failed(error: RpcException, seconds: float) -> None:
    """Say that the invocation under way raised."""
    _host.error("failed after %.3f s\n%s", seconds, error.stack_trace.rstrip() or error.message)


def timed_out(seconds: float) -> None:
    """Say that the invocation under way was stopped at `functionTimeout`."""
    _host.error("stopped after %.3f s: host.json's functionTimeout", seconds)
