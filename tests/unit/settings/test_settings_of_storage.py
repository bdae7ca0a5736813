"""The storage account, and `PROACTIVE_LOCAL`, which depends on where that is."""

import pytest

from proactive.settings import Bot, StorageAccount, load
from tests.unit.settings.env import APP_ID, CLOUD, LOCAL, connection_string, local, refusal

# --- storage


@pytest.mark.parametrize(
    ("env", "storage"),
    [
        (
            {"AzureWebJobsStorage__accountName": "contoso"},
            StorageAccount("", "https://contoso.queue.core.windows.net", "https://contoso.table.core.windows.net"),
        ),
        (
            {
                "AzureWebJobsStorage__blobServiceUri": "https://contoso.blob.core.usgovcloudapi.net",
                "AzureWebJobsStorage__queueServiceUri": "https://contoso.queue.core.usgovcloudapi.net",
                "AzureWebJobsStorage__tableServiceUri": "https://contoso.table.core.usgovcloudapi.net",
                "AzureWebJobsStorage__credential": "managedidentity",
                "AzureWebJobsStorage__clientId": "client",
            },
            StorageAccount(
                "",
                "https://contoso.queue.core.usgovcloudapi.net",
                "https://contoso.table.core.usgovcloudapi.net",
                "client",
            ),
        ),
        (
            {"AzureWebJobsStorage": "DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=a2V5"},
            StorageAccount("DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=a2V5"),
        ),
    ],
)
def test_storage_is_reached_by_connection_string_or_by_identity(env: dict[str, str], storage: StorageAccount) -> None:
    rest = {name: value for name, value in CLOUD.items() if not name.startswith("AzureWebJobsStorage")}
    assert load({**rest, **env}).storage == storage


@pytest.mark.parametrize("service", ["queue", "table"])
def test_both_addresses_of_an_account_are_needed(service: str) -> None:
    rest = {name: value for name, value in CLOUD.items() if not name.startswith("AzureWebJobsStorage")}
    missing = {"queue": "table", "table": "queue"}[service]
    env = {**rest, f"AzureWebJobsStorage__{service}ServiceUri": "https://contoso.example"}
    assert f"AzureWebJobsStorage__{missing}ServiceUri" in refusal(env)


# --- PROACTIVE_LOCAL


@pytest.mark.parametrize(
    "signs",
    [
        ["WEBSITE_INSTANCE_ID"],
        ["WEBSITE_SITE_NAME"],
        ["WEBSITE_POD_NAME"],
        ["WEBSITE_OWNER_NAME"],
        ["IDENTITY_ENDPOINT"],
        ["CONTAINER_NAME", "LEGION_SERVICE_HOST"],
    ],
)
def test_local_is_refused_with_any_sign_of_azure(signs: list[str]) -> None:
    sentence = refusal({**LOCAL, **dict.fromkeys(signs, "x")})
    assert "PROACTIVE_LOCAL" in sentence
    assert any(sign in sentence for sign in signs)


def test_a_container_name_alone_is_no_sign_of_azure() -> None:
    assert local(CONTAINER_NAME="devcontainer").local


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.9.10"])
def test_local_storage_may_be_on_any_loopback_address(host: str) -> None:
    text = connection_string(f"http://{host}:1/a", f"http://{host}:2/a")
    assert local(AzureWebJobsStorage=text).storage.connection_string == text


@pytest.mark.parametrize(
    "changes",
    [
        {"AzureWebJobsStorage": "DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=a2V5"},
        {"AzureWebJobsStorage": connection_string("http://127.0.0.1:1/a", "https://contoso.table.core.windows.net")},
        {"AzureWebJobsStorage": connection_string("https://contoso.queue.core.windows.net", "http://127.0.0.1:1/a")},
        {"AzureWebJobsStorage": connection_string("http://127.0.0.1.contoso.com/a", "http://localhost.contoso.com/a")},
        {"AzureWebJobsStorage": connection_string("http://10.0.0.4:1/a", "http://10.0.0.4:2/a")},
        {"AzureWebJobsStorage": "", "AzureWebJobsStorage__accountName": "contoso"},
    ],
)
def test_local_is_refused_where_storage_is_not_on_loopback(changes: dict[str, str]) -> None:
    sentence = refusal({**LOCAL, **changes})
    assert "PROACTIVE_LOCAL" in sentence
    assert "AzureWebJobsStorage" in sentence


def test_only_local_addresses_may_lack_https() -> None:
    assert local(PROACTIVE_PUBLIC_URL="http://127.0.0.1:8080").public_url == "http://127.0.0.1:8080"


def test_a_bot_may_have_an_app_id_on_a_laptop() -> None:
    assert local(MicrosoftAppId=APP_ID).bots == (Bot("default", APP_ID),)
