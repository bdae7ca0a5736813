"""Microsoft's Agents Playground, a Teams client in the browser, as a child process."""

import contextlib
import os
import socket
import tempfile
from collections.abc import AsyncIterator
from urllib.parse import quote

from local.host.errors import StartError
from local.processes import Child, node_script

DEFAULT_PORT = 56150
_START_SECONDS = 60.0

# The Playground listens on every address and has no option for it; a bot that asks for no token must not be driven by
# the neighbours.
_LOOPBACK_ONLY = "data:text/javascript," + quote(
    """
    import net from "node:net";
    const listen = net.Server.prototype.listen;
    net.Server.prototype.listen = function (port, ...rest) {
      const open = typeof port === "number" && typeof rest[0] !== "string";
      return open ? listen.call(this, port, "127.0.0.1", ...rest) : listen.call(this, port, ...rest);
    };
    """
)


@contextlib.asynccontextmanager
async def playground(bot_port: int, port: int = DEFAULT_PORT) -> AsyncIterator[str]:
    """Run the Playground for the bot at `bot_port` and give its address once its page answers; `port` 0: any free one.

    Raises:
        StartError: Node.js, the Playground or the port is missing.

    """
    node, script = node_script("the Agents Playground", "@microsoft/m365agentsplayground/cli.js")
    _check(port)
    bot = f"http://127.0.0.1:{bot_port}/api/messages"
    options = ("-e", bot, "-c", "msteams", "--dt", "-p", str(port))
    # It writes a log into its working directory.
    with tempfile.TemporaryDirectory() as directory:
        child = await Child.start(
            "the Agents Playground",
            *(node, "--import", _LOOPBACK_ONLY, script, "start", *options),
            # Opening its page installs the bot for its person: that is up to whoever opens it.
            env={**os.environ, "TEAMSAPPTESTER_BROWSER": "none"},
            cwd=directory,
        )
        try:
            listening = await child.expect(r"^Listening on (\d+)", _START_SECONDS)
            child.drain()
            yield f"http://localhost:{listening[1]}"
        finally:
            await child.stop()


def _check(port: int) -> None:
    """Refuse a port that is taken: the Playground would silently use another one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise StartError(
                f"the Agents Playground's port {port} is in use: choose another with --playground-port, "
                "or go without it with --no-playground"
            ) from None
