"""Environments that a laptop and an app in Azure have, and what is read there."""

import pytest

from proactive.settings import Settings, SettingsError, load

APP_ID = "11111111-2222-3333-4444-555555555555"
CLOUD = {
    "AzureWebJobsStorage__accountName": "contoso",
    "MicrosoftAppId": APP_ID,
    "WEBSITE_HOSTNAME": "contoso.azurewebsites.net",
}
CLIENT = {"PROACTIVE_GRAPH_CLIENT_ID": "client"}
LOCAL = {"PROACTIVE_LOCAL": "true", "AzureWebJobsStorage": "UseDevelopmentStorage=true"}
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def connection_string(queue: str, table: str) -> str:
    return f"AccountName=a;AccountKey=a2V5;QueueEndpoint={queue};TableEndpoint={table};"


def cloud(**changes: str) -> Settings:
    return load({**CLOUD, **changes})


def local(**changes: str) -> Settings:
    return load({**LOCAL, **changes})


def refusal(env: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load(env)
    return str(caught.value)
