"""Modules that are imported when they are first used, in a thread: cold starts stay short and the loop is not held."""

import asyncio
import importlib
import sys
from typing import Any


async def room(name: str) -> Any:
    """Return the module `name`, imported in a thread if it is not there yet."""
    module = sys.modules.get(name)
    # A module that another thread is still importing stands in `sys.modules` half-made.
    if module is None or getattr(getattr(module, "__spec__", None), "_initializing", False):
        return await asyncio.to_thread(importlib.import_module, name)
    return module
