"""The storage account that holds everything."""

import re
from dataclasses import dataclass, field

from proactive.settings.reading import Reader, SettingsError, host_of

_DEVELOPMENT_STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;"
)  # Microsoft's published account of the storage emulator


@dataclass(frozen=True)
class StorageAccount:
    """How the storage account is reached: by connection string, or by service addresses and an identity."""

    connection_string: str = field(default="", repr=False)
    queue_url: str = ""
    table_url: str = ""
    client_id: str | None = None


def read_storage(read: Reader) -> StorageAccount:
    """Return the storage account, by the names that the Functions host knows it by.

    Raises `SettingsError` where none is named, or not rightly.
    """
    text = read.text("AzureWebJobsStorage")
    if text:
        if text.rstrip(";").lower() == "usedevelopmentstorage=true":
            text = _DEVELOPMENT_STORAGE
        parts = dict(part.partition("=")[::2] for part in text.split(";"))
        if not (parts.get("AccountName") and parts.get("AccountKey")) and not parts.get("SharedAccessSignature"):
            raise SettingsError("AzureWebJobsStorage must be a storage connection string.")
        return StorageAccount(connection_string=text)
    client_id = read.text("AzureWebJobsStorage__clientId") or None
    queue_url = read.text("AzureWebJobsStorage__queueServiceUri")
    table_url = read.text("AzureWebJobsStorage__tableServiceUri")
    account = read.text("AzureWebJobsStorage__accountName")
    if account and not re.fullmatch(r"[a-z0-9]{3,24}", account):
        raise SettingsError("AzureWebJobsStorage__accountName must be the name of a storage account.")
    if account:
        queue_url = queue_url or f"https://{account}.queue.core.windows.net"
        table_url = table_url or f"https://{account}.table.core.windows.net"
    if not queue_url and not table_url:
        raise SettingsError(
            "AzureWebJobsStorage is missing: set it to a connection string, or set AzureWebJobsStorage__accountName."
        )
    for name, url in (("queueServiceUri", queue_url), ("tableServiceUri", table_url)):
        if not host_of(url) or not url.startswith("https://"):
            raise SettingsError(f"AzureWebJobsStorage__{name} must be an https address.")
    return StorageAccount(queue_url=queue_url, table_url=table_url, client_id=client_id)
