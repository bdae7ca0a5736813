"""All that touches Azure Storage."""

import os

from proactive.settings import load
from proactive.store.account import Account


async def ensure() -> None:
    """Create the tables and queues that are missing, in the account that the environment names."""
    account = Account(load(os.environ).storage)
    try:
        await account.ensure()
    finally:
        await account.close()
