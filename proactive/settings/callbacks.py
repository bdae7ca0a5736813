"""Where callbacks may go, and what they are signed with."""

import base64

from proactive.settings.reading import Reader, SettingsError

_SHORTEST_KEY = 24  # bytes, by Standard Webhooks
# Where Logic Apps and Power Automate take callbacks, in all clouds. Logic Apps Standard runs under
# `.azurewebsites.net`, which anybody can rent, so that one only counts when an operator names it.
CALLBACK_HOSTS = (
    ".logic.azure.com",
    ".environment.api.powerplatform.com",
    ".logic.azure.us",
    ".logic.azure.cn",
    ".api.gov.powerplatform.microsoft.us",
    ".api.high.powerplatform.microsoft.us",
    ".api.appsplatform.us",
)


def read_callback_secret(read: Reader) -> str:
    """Return what callbacks are signed with, empty where they are not. Raises `SettingsError` for a weak one."""
    secret = read.text("PROACTIVE_CALLBACK_SECRET")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if secret and (not secret.startswith("whsec_") or len(key) < _SHORTEST_KEY):
        raise SettingsError("PROACTIVE_CALLBACK_SECRET must be whsec_ and the base64 of at least 24 bytes.")
    return secret
