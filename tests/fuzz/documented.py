"""Whatever is asked, the answer is documented: Schemathesis, run over a document of what the app answers."""

import asyncio
import sys
from pathlib import Path
from typing import Any

SEED = "20261201"
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
          "response_schema_conformance", "unsupported_method")  # fmt: skip


def closed(node: Any) -> Any:
    """Return the document with no place for members that it does not name, so that none goes unnoticed."""
    if isinstance(node, list):
        return [closed(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    inside = {name: closed(inner) for name, inner in node.items()}
    return {"additionalProperties": False, **inside} if isinstance(node.get("properties"), dict) else inside


async def ask_whatever(document: Path, url: str, *more: str, phases: str, examples: int) -> None:
    """Fail where an answer is not as documented, with the requests that show it. `more` are further options."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", url, "--no-color",
        "--checks", ",".join(CHECKS), "--phases", phases, "--max-examples", str(examples),
        "--seed", SEED, "--generation-deterministic", "--no-shrink", *more,
        "--suppress-health-check", "all", "--warnings", "off", "--request-timeout", "30", "--continue-on-failure",
        cwd=document.parent, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()
