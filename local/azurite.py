"""Azurite, Microsoft's storage emulator, as a child process."""

import contextlib
import fcntl
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from local.host.errors import StartError
from local.processes import Child, node_script

DEFAULT_PORTS = (10000, 10001, 10002)
"""Where `UseDevelopmentStorage=true` looks for blobs, queues and tables."""

ANY_PORTS = (0, 0, 0)
_START_SECONDS = 60.0
_ACCOUNT = "devstoreaccount1"
# The emulator's own key, the same everywhere and public.
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class LocationInUseError(StartError):
    """Another Azurite keeps its data there; two would overwrite each other's."""


@contextlib.asynccontextmanager
async def azurite(
    *, location: Path | None = None, in_memory: bool = False, ports: tuple[int, int, int] = ANY_PORTS
) -> AsyncIterator[str]:
    """Run Azurite and give its connection string once all three services answer.

    Data are kept in `location`, or with `in_memory` nowhere. `ports` are for blobs, queues and tables; 0: any free one.

    Raises:
        LocationInUseError: another Azurite has `location`.
        StartError: Node.js, Azurite or a port is missing.

    """
    if in_memory == (location is not None):
        raise ValueError("either a location or in_memory")
    arguments = ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    for service, port in zip(("blob", "queue", "table"), ports, strict=True):
        arguments += [f"--{service}Port", str(port)]
    arguments += ["--location", str(location)] if location else ["--inMemoryPersistence"]
    command = node_script("Azurite", "azurite/dist/src/azurite.js")
    with _own(location) if location else contextlib.nullcontext():
        child = await Child.start("Azurite", *command, *arguments)
        try:
            listening = r"Azurite (\w+) service is successfully listening at (http\S+)"
            found = [await child.expect(listening, _START_SECONDS) for _ in ports]
            child.drain()
            addresses = {match[1]: match[2] for match in found}
            endpoints = "".join(f"{name}Endpoint={address}/{_ACCOUNT};" for name, address in sorted(addresses.items()))
            yield f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};{endpoints}"
        finally:
            await child.stop()


def free_ports() -> tuple[int, int, int]:
    """Give the default ports when all of them are free, else "any"."""
    for port in DEFAULT_PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return ANY_PORTS
    return DEFAULT_PORTS


@contextlib.contextmanager
def _own(location: Path) -> Iterator[None]:
    """Hold `location`: two Azurites would overwrite each other's data."""
    location.mkdir(parents=True, exist_ok=True)
    with (location / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LocationInUseError(f"another Azurite keeps its data in {location}") from None
        yield
