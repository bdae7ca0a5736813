"""`PROACTIVE_LOCAL` opens doors, so it is refused wherever the app might not be on a laptop."""

from collections.abc import Mapping

from proactive.hosts import is_loopback
from proactive.settings.reading import SettingsError, host_of
from proactive.settings.storage import StorageAccount

# Signs of Azure, of which one is enough; the last pair is how a Flex Consumption instance shows itself.
_AZURE_SIGNS = (
    ("WEBSITE_INSTANCE_ID",),
    ("WEBSITE_SITE_NAME",),
    ("WEBSITE_POD_NAME",),
    ("WEBSITE_OWNER_NAME",),
    ("IDENTITY_ENDPOINT",),
    ("LEGION_SERVICE_HOST", "CONTAINER_NAME"),
)


def refuse_local_in_azure(env: Mapping[str, str], storage: StorageAccount) -> None:
    """Raise `SettingsError` with any sign of Azure, or where the storage account is not on loopback."""
    for signs in _AZURE_SIGNS:
        if all(env.get(sign) for sign in signs):
            raise SettingsError(
                f"PROACTIVE_LOCAL must not be true in Azure: it would open the bot's endpoint ({signs[0]} is set)."
            )
    parts = dict(part.partition("=")[::2] for part in storage.connection_string.split(";"))
    endpoints = [host_of(parts.get(name, "")) for name in ("QueueEndpoint", "TableEndpoint")]
    if not all(is_loopback(host) for host in endpoints):
        raise SettingsError("PROACTIVE_LOCAL may be true only with AzureWebJobsStorage on a loopback address.")
