"""Put a send on the queue from Python: `pip install azure-storage-queue azure-identity`.

`AZURE_STORAGE_CONNECTION_STRING` is for a laptop; else `ACCOUNT` names the storage account, and whoever is
signed in needs the role Storage Queue Data Message Sender on this one queue.
"""

import json
import os

from azure.storage.queue import QueueClient


def queue() -> QueueClient:
    """Return the queue that event sources write to."""
    if connection_string := os.environ.get("AZURE_STORAGE_CONNECTION_STRING"):
        return QueueClient.from_connection_string(connection_string, "sends")
    from azure.identity import DefaultAzureCredential

    address = f"https://{os.environ['ACCOUNT']}.queue.core.windows.net"
    return QueueClient(address, "sends", credential=DefaultAzureCredential())


def main() -> None:
    """Tell somebody about an order."""
    send = {
        "id": "order-4716",  # the same order told twice is one message
        "recipients": ["Alex Wilber"],
        "message": "Your order *4716* is ready",
        "options": {"ifBotNotInstalled": "succeedWithStatusCode"},
    }
    with queue() as client:
        client.send_message(json.dumps(send), time_to_live=-1)  # never: a week is the default


if __name__ == "__main__":
    main()
