"""Every setting: its default, its forms, and one sentence that names it when it is wrong."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proactive.clouds import CLOUDS, DOD, GCC, GCC_HIGH, PUBLIC
from proactive.hosts import TEAMS_SERVICE_HOSTS
from proactive.settings import Bot, GraphAccess, Settings, SettingsError, StorageAccount, load
from tests.unit.certificates import certificate_pem, other_key_pem, private_key_pem

APP_ID = "11111111-2222-3333-4444-555555555555"
CLOUD = {
    "AzureWebJobsStorage__accountName": "contoso",
    "MicrosoftAppId": APP_ID,
    "WEBSITE_HOSTNAME": "contoso.azurewebsites.net",
}
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


# --- defaults


def test_the_defaults_in_azure_are_the_contracts() -> None:
    settings = cloud()
    assert settings.bots == (Bot("default", APP_ID, "UserAssignedMSI"),)
    assert settings.local is False
    assert settings.public_url == "https://contoso.azurewebsites.net"
    assert settings.allow_everyone is False
    assert settings.active_chat_minutes == 30
    assert settings.requests_per_second == 50
    assert settings.max_message_bytes == 102_400
    assert set(settings.callback_hosts) == {
        ".logic.azure.com",
        ".environment.api.powerplatform.com",
        ".logic.azure.us",
        ".logic.azure.cn",
        ".api.gov.powerplatform.microsoft.us",
        ".api.high.powerplatform.microsoft.us",
        ".api.appsplatform.us",
    }
    assert settings.callback_secret == ""
    assert settings.service_hosts == TEAMS_SERVICE_HOSTS
    assert settings.retention_days == 90
    assert settings.cloud == PUBLIC
    assert settings.teams_url == PUBLIC.teams_url
    assert settings.graph is None


def test_the_defaults_on_a_laptop_need_no_bot_and_no_address() -> None:
    settings = local()
    assert settings.local is True
    assert settings.bots == (Bot("default"),)
    assert settings.public_url == "http://localhost:7071"
    assert "127.0.0.1" in settings.storage.connection_string


def test_an_empty_or_blank_setting_is_an_absent_one() -> None:
    names = [
        "PROACTIVE_BOT_NAME",
        "PROACTIVE_BOTS",
        "PROACTIVE_LOCAL",
        "PROACTIVE_PUBLIC_URL",
        "PROACTIVE_ALLOW_EVERYONE",
        "PROACTIVE_ACTIVE_CHAT_MINUTES",
        "PROACTIVE_REQUESTS_PER_SECOND",
        "PROACTIVE_MAX_MESSAGE_BYTES",
        "PROACTIVE_CALLBACK_HOSTS",
        "PROACTIVE_CALLBACK_SECRET",
        "PROACTIVE_SERVICE_HOSTS",
        "PROACTIVE_RETENTION_DAYS",
        "PROACTIVE_CLOUD",
        "PROACTIVE_TEAMS_URL",
        "PROACTIVE_TEAMS_APP_ID",
        "PROACTIVE_GRAPH_URL",
        "PROACTIVE_GRAPH_CLIENT_ID",
        "PROACTIVE_GRAPH_CLIENT_SECRET",
        "PROACTIVE_GRAPH_CERTIFICATE",
        "PROACTIVE_GRAPH_TENANT_ID",
        "MicrosoftAppType",
    ]
    for blank in ("", "  "):
        assert cloud(**dict.fromkeys(names, blank)) == cloud()


# --- forms


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("PROACTIVE_ALLOW_EVERYONE", "true", "allow_everyone", True),
        ("PROACTIVE_ALLOW_EVERYONE", " TRUE ", "allow_everyone", True),
        ("PROACTIVE_ALLOW_EVERYONE", "False", "allow_everyone", False),
        ("PROACTIVE_ACTIVE_CHAT_MINUTES", "0", "active_chat_minutes", 0),
        ("PROACTIVE_ACTIVE_CHAT_MINUTES", "0.5", "active_chat_minutes", 0.5),
        ("PROACTIVE_REQUESTS_PER_SECOND", "12.5", "requests_per_second", 12.5),
        ("PROACTIVE_MAX_MESSAGE_BYTES", "2048", "max_message_bytes", 2048),
        ("PROACTIVE_RETENTION_DAYS", " 7 ", "retention_days", 7),
        ("PROACTIVE_PUBLIC_URL", "https://bot.contoso.com/", "public_url", "https://bot.contoso.com"),
        ("PROACTIVE_PUBLIC_URL", "https://gateway.contoso.com/bot", "public_url", "https://gateway.contoso.com/bot"),
        ("PROACTIVE_CALLBACK_HOSTS", "flows.contoso.com", "callback_hosts", ("flows.contoso.com",)),
        (
            "PROACTIVE_CALLBACK_HOSTS",
            " .Logic.Azure.com , contoso.azurewebsites.net,",
            "callback_hosts",
            (".logic.azure.com", "contoso.azurewebsites.net"),
        ),
        ("PROACTIVE_SERVICE_HOSTS", "SMBA.trafficmanager.net", "service_hosts", frozenset({"smba.trafficmanager.net"})),
        ("PROACTIVE_CALLBACK_SECRET", SECRET, "callback_secret", SECRET),
        ("PROACTIVE_CLOUD", "public", "cloud", PUBLIC),
        ("PROACTIVE_CLOUD", "gcc", "cloud", GCC),
        ("PROACTIVE_CLOUD", " GccHigh ", "cloud", GCC_HIGH),
        ("PROACTIVE_CLOUD", "DOD", "cloud", DOD),
        ("PROACTIVE_CLOUD", "dod", "teams_url", DOD.teams_url),
        ("PROACTIVE_CLOUD", "dod", "service_hosts", TEAMS_SERVICE_HOSTS),
        ("PROACTIVE_TEAMS_URL", GCC.teams_url, "teams_url", GCC.teams_url),
        ("PROACTIVE_REPLY_TEXT", "", "reply_text", ""),
        ("PROACTIVE_REPLY_TEXT", "Ask the help desk.", "reply_text", "Ask the help desk."),
    ],
)
def test_a_setting_is_read_in_each_of_its_forms(name: str, text: str, field: str, value: object) -> None:
    assert getattr(cloud(**{name: text}), field) == value


def test_the_bots_answer_to_people_is_one_short_line() -> None:
    assert 0 < len(cloud().reply_text) < 100
    assert "\n" not in cloud().reply_text


# --- refusals


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PROACTIVE_LOCAL", "yes"),
        ("PROACTIVE_ALLOW_EVERYONE", "1"),
        ("PROACTIVE_ACTIVE_CHAT_MINUTES", "half an hour"),
        ("PROACTIVE_ACTIVE_CHAT_MINUTES", "-1"),
        ("PROACTIVE_ACTIVE_CHAT_MINUTES", "nan"),
        ("PROACTIVE_REQUESTS_PER_SECOND", "0"),
        ("PROACTIVE_REQUESTS_PER_SECOND", "fifty"),
        ("PROACTIVE_REQUESTS_PER_SECOND", "inf"),
        ("PROACTIVE_MAX_MESSAGE_BYTES", "100 KB"),
        ("PROACTIVE_MAX_MESSAGE_BYTES", "10"),
        ("PROACTIVE_RETENTION_DAYS", "0"),
        ("PROACTIVE_RETENTION_DAYS", "P90D"),
        ("PROACTIVE_PUBLIC_URL", "bot.contoso.com"),
        ("PROACTIVE_PUBLIC_URL", "http://bot.contoso.com"),
        ("PROACTIVE_PUBLIC_URL", "https://bot.contoso.com?code=1"),
        ("PROACTIVE_PUBLIC_URL", "https://"),
        ("PROACTIVE_PUBLIC_URL", "https://bot.contoso.com/#top"),
        ("PROACTIVE_PUBLIC_URL", "https://bot.contoso.com:port"),
        ("PROACTIVE_CALLBACK_HOSTS", "https://flows.contoso.com"),
        ("PROACTIVE_CALLBACK_HOSTS", "flows.contoso.com:443"),
        ("PROACTIVE_CALLBACK_HOSTS", "flows.contoso.com/path"),
        ("PROACTIVE_CALLBACK_HOSTS", "*.contoso.com"),
        ("PROACTIVE_CALLBACK_HOSTS", "."),
        ("PROACTIVE_SERVICE_HOSTS", ".trafficmanager.net"),
        ("PROACTIVE_SERVICE_HOSTS", "https://smba.trafficmanager.net/teams"),
        ("PROACTIVE_CLOUD", "china"),
        ("PROACTIVE_TEAMS_URL", "http://smba.trafficmanager.net/teams"),
        ("PROACTIVE_TEAMS_URL", "https://smba.example/teams"),
        ("PROACTIVE_TEAMS_URL", "http://127.0.0.1:3978/teams"),  # only on a laptop
        ("PROACTIVE_TEAMS_APP_ID", "apps/1"),
        ("PROACTIVE_GRAPH_URL", "graph.microsoft.com"),
        ("PROACTIVE_GRAPH_URL", "http://graph.microsoft.com"),
        ("PROACTIVE_GRAPH_URL", "http://127.0.0.1:4000"),  # only on a laptop
        ("PROACTIVE_GRAPH_URL", "https://me@graph.microsoft.com"),
        ("PROACTIVE_GRAPH_URL", "https://graph.microsoft.com?x"),
        ("PROACTIVE_GRAPH_URL", "https://["),
        ("PROACTIVE_GRAPH_CLIENT_ID", "a b"),
        ("PROACTIVE_GRAPH_TENANT_ID", "contoso.onmicrosoft.com"),
        ("PROACTIVE_GRAPH_CERTIFICATE", "MIIE"),
        ("PROACTIVE_CALLBACK_SECRET", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("PROACTIVE_CALLBACK_SECRET", "whsec_short"),
        ("PROACTIVE_CALLBACK_SECRET", "whsec_" + "*" * 32),
        ("PROACTIVE_CALLBACK_SECRET", "whsec_" + "A" * 25),  # no base64 has 25 characters
        ("PROACTIVE_BOT_NAME", "orders/returns"),
        ("PROACTIVE_BOT_NAME", "x" * 65),
        ("MicrosoftAppType", "Tenantless"),
        ("AzureWebJobsStorage", "contoso"),
        ("AzureWebJobsStorage", "AccountName=contoso"),  # without a key nobody gets in
        ("AzureWebJobsStorage__accountName", "contoso/x"),
        ("AzureWebJobsStorage__queueServiceUri", "http://contoso.queue.core.windows.net"),
        ("AzureWebJobsStorage__tableServiceUri", "contoso.table.core.windows.net"),
        ("PROACTIVE_BOTS", "orders"),
        ("PROACTIVE_BOTS", "{}"),
        ("PROACTIVE_BOTS", "[1]"),
        ("PROACTIVE_BOTS", '[{"name": "orders"}]'),
        ("PROACTIVE_BOTS", '[{"appId": "a"}]'),
        ("PROACTIVE_BOTS", '[{"name": "orders", "appId": "a", "tenant": "t"}]'),
        ("PROACTIVE_BOTS", '[{"name": "orders", "appId": 7}]'),
        ("PROACTIVE_BOTS", '[{"name": "a/b", "appId": "a"}]'),
        ("PROACTIVE_BOTS", '[{"name": "orders", "appId": "a", "appType": "singletenant"}]'),
        ("PROACTIVE_BOTS", '[{"name": "default", "appId": "a"}]'),
        ("PROACTIVE_BOTS", json.dumps([{"name": "orders", "appId": APP_ID}])),
        ("PROACTIVE_BOTS", '[{"name": "orders", "appId": "ab"}, {"name": "hr", "appId": "AB"}]'),  # one and the same
        ("PROACTIVE_BOTS", '[{"name": "orders", "appId": "a", "teamsAppId": "a/b"}]'),
    ],
)
def test_a_malformed_setting_stops_the_app_with_one_sentence_that_names_it(name: str, text: str) -> None:
    sentence = refusal({**CLOUD, name: text})
    assert name in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert ". " not in sentence


@pytest.mark.parametrize(
    ("name", "env"),
    [
        pytest.param("PROACTIVE_PUBLIC_URL", {**CLOUD, "PROACTIVE_PUBLIC_URL": "https://["}, id="address of the app"),
        pytest.param(
            "AzureWebJobsStorage",
            {**CLOUD, "AzureWebJobsStorage__queueServiceUri": "https://["},
            id="address of the queues",
        ),
        pytest.param(
            "AzureWebJobsStorage",
            {**LOCAL, "AzureWebJobsStorage": connection_string("http://[", "http://[")},
            id="endpoints of a connection string",
        ),
        pytest.param("PROACTIVE_BOTS", {**CLOUD, "PROACTIVE_BOTS": "[" * 100_000}, id="nested JSON"),
        pytest.param(
            "PROACTIVE_CALLBACK_SECRET",
            {**CLOUD, "PROACTIVE_CALLBACK_SECRET": "whsec_" + "ü" * 32},
            id="secret beyond ASCII",
        ),
    ],
)
def test_what_no_parser_can_read_is_told_in_a_sentence_too(name: str, env: dict[str, str]) -> None:
    assert name in refusal(env)


@pytest.mark.parametrize("name", ["PROACTIVE_SERVICE_HOSTS", "PROACTIVE_CALLBACK_HOSTS"])
def test_a_list_without_any_host_is_malformed(name: str) -> None:
    # A slip of the keyboard must not silently mean "nobody at all".
    assert name in refusal({**CLOUD, name: ","})


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("AzureWebJobsStorage__accountName", "AzureWebJobsStorage"),
        ("MicrosoftAppId", "MicrosoftAppId"),
        ("WEBSITE_HOSTNAME", "PROACTIVE_PUBLIC_URL"),
    ],
)
def test_a_missing_setting_stops_the_app(missing: str, named: str) -> None:
    assert named in refusal({name: value for name, value in CLOUD.items() if name != missing})


def test_an_app_without_any_settings_names_the_first_to_set() -> None:
    assert "AzureWebJobsStorage" in refusal({})


# --- bots


@pytest.mark.parametrize(
    ("given_env", "named"),
    [
        ({"MicrosoftAppType": "SingleTenant", "MicrosoftAppTenantId": "t"}, "MicrosoftAppPassword"),
        ({"MicrosoftAppType": "MultiTenant"}, "MicrosoftAppPassword"),
        ({"MicrosoftAppType": "SingleTenant", "MicrosoftAppPassword": "p"}, "MicrosoftAppTenantId"),
        (
            {"PROACTIVE_BOTS": '[{"name":"orders","appId":"a","appType":"MultiTenant"}]'},
            "PROACTIVE_BOTS[0].password",
        ),
        (
            {"PROACTIVE_BOTS": '[{"name":"orders","appId":"a","appType":"SingleTenant","password":"p"}]'},
            "PROACTIVE_BOTS[0].tenantId",
        ),
    ],
)
def test_an_app_type_needs_what_it_signs_in_with(given_env: dict[str, str], named: str) -> None:
    assert named in refusal({**CLOUD, **given_env})


def test_every_field_of_a_further_bot_is_read() -> None:
    orders = {
        "name": "orders",
        "appId": "a",
        "appType": "SingleTenant",
        "tenantId": "t",
        "password": "p",
        "teamsAppId": "teams",
    }
    settings = cloud(PROACTIVE_BOT_NAME="news", PROACTIVE_BOTS=json.dumps([orders, {"name": "hr", "appId": "b"}]))
    assert settings.bots == (
        Bot("news", APP_ID),
        Bot("orders", "a", "SingleTenant", "t", "p", "teams"),
        Bot("hr", "b"),
    )
    assert settings.bot("orders") is settings.bots[1]
    assert settings.bot("sales") is None


def test_the_main_bot_is_read_under_bot_frameworks_names() -> None:
    settings = cloud(MicrosoftAppType="SingleTenant", MicrosoftAppTenantId="t", MicrosoftAppPassword="p")
    assert settings.bots == (Bot("default", APP_ID, "SingleTenant", "t", "p"),)


def test_the_main_bots_teams_app_has_a_setting_of_its_own() -> None:
    assert cloud(PROACTIVE_TEAMS_APP_ID="catalogue-id").bots[0].teams_app_id == "catalogue-id"


# --- Microsoft Graph

CLIENT = {"PROACTIVE_GRAPH_CLIENT_ID": "client"}
TENANT = "72F988BF-86F1-41AF-91AB-2D7CD011DB47"


@pytest.mark.parametrize("name", CLOUDS)
def test_graph_is_asked_at_the_address_of_the_cloud(name: str) -> None:
    graph = cloud(**CLIENT, PROACTIVE_CLOUD=name, PROACTIVE_GRAPH_CLIENT_SECRET="s").graph
    assert graph == GraphAccess(CLOUDS[name].graph_url, "client", "s")


def test_graph_may_be_asked_elsewhere_too() -> None:
    elsewhere = cloud(**CLIENT, PROACTIVE_GRAPH_CLIENT_SECRET="s", PROACTIVE_GRAPH_URL="https://proxy.example/graph/")
    assert elsewhere.graph == GraphAccess("https://proxy.example/graph", "client", "s")


def test_without_a_client_id_there_is_no_graph() -> None:
    assert cloud(PROACTIVE_GRAPH_URL="https://graph.microsoft.com", PROACTIVE_GRAPH_TENANT_ID=TENANT).graph is None
    assert local(PROACTIVE_GRAPH_URL="https://graph.microsoft.com").graph is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:4000", "http://localhost:4000/v", "https://[::1]:4000"])
def test_a_stand_in_on_the_laptop_is_asked_without_an_app(url: str) -> None:
    assert local(PROACTIVE_GRAPH_URL=url).graph == GraphAccess(url)


def test_the_addresses_of_teams_may_be_on_the_laptop() -> None:
    assert local(PROACTIVE_TEAMS_URL="http://127.0.0.1:3978/teams").teams_url == "http://127.0.0.1:3978/teams"


def test_teams_may_be_at_a_host_that_is_listed() -> None:
    settings = cloud(PROACTIVE_SERVICE_HOSTS="teams.example", PROACTIVE_TEAMS_URL="https://teams.example/x")
    assert settings.teams_url == "https://teams.example/x"


def test_without_secret_and_certificate_graph_is_asked_as_an_identity_of_one_tenant() -> None:
    graph = cloud(**CLIENT, PROACTIVE_GRAPH_TENANT_ID=TENANT).graph
    assert graph == GraphAccess(PUBLIC.graph_url, "client", tenant_id=TENANT.lower())
    assert "PROACTIVE_GRAPH_TENANT_ID" in refusal({**CLOUD, **CLIENT})


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"PROACTIVE_GRAPH_CLIENT_SECRET": "s"}, "PROACTIVE_GRAPH_CLIENT_ID"),
        ({"PROACTIVE_GRAPH_CERTIFICATE": private_key_pem() + certificate_pem()}, "PROACTIVE_GRAPH_CLIENT_ID"),
        (
            {
                **CLIENT,
                "PROACTIVE_GRAPH_CERTIFICATE": private_key_pem() + certificate_pem(),
                "PROACTIVE_GRAPH_CLIENT_SECRET": "s",
            },
            "PROACTIVE_GRAPH_CERTIFICATE",
        ),
    ],
)
def test_what_graph_is_asked_with_has_to_be_whole_and_only_one_thing(env: dict[str, str], named: str) -> None:
    assert named in refusal({**CLOUD, **env})


@pytest.mark.parametrize(
    "pasted",
    [
        private_key_pem() + certificate_pem(),
        certificate_pem() + private_key_pem(),
        (private_key_pem() + certificate_pem()).replace("\n", "\\n"),
        (private_key_pem() + certificate_pem()).replace("\n", " "),
        "Bag Attributes\r\n" + (private_key_pem() + certificate_pem()).replace("\n", "\r\n"),
    ],
    ids=["key first", "certificate first", "in one line with \\n", "in one line with blanks", "as openssl writes it"],
)
def test_a_certificate_is_read_however_it_was_pasted(pasted: str) -> None:
    graph = cloud(**CLIENT, PROACTIVE_GRAPH_CERTIFICATE=pasted).graph
    assert graph is not None
    assert graph.certificate == (private_key_pem(), certificate_pem())


@pytest.mark.parametrize(
    "wrong",
    [
        private_key_pem(),
        certificate_pem(),
        other_key_pem() + certificate_pem(),
        private_key_pem(password=b"sesame") + certificate_pem(),
        other_key_pem(elliptic=True) + certificate_pem(),
        private_key_pem()[:300] + "-----END PRIVATE KEY-----" + certificate_pem(),
        private_key_pem() + certificate_pem().replace("A", "*"),
        private_key_pem() + certificate_pem().replace("M", "Q"),
    ],
    ids=[
        "no certificate",
        "no key",
        "another's key",
        "encrypted",
        "no RSA",
        "cut",
        "no base64",
        "no certificate in it",
    ],
)
def test_a_certificate_that_nobody_could_sign_in_with_is_named_without_being_shown(wrong: str) -> None:
    sentence = refusal({**CLOUD, **CLIENT, "PROACTIVE_GRAPH_CERTIFICATE": wrong})
    assert sentence.startswith("PROACTIVE_GRAPH_CERTIFICATE")
    assert wrong[60:100] not in sentence


@pytest.mark.parametrize(
    ("access", "tenant", "covered"),
    [
        (GraphAccess("u", "client", "s", tenant_id="one"), "one", True),
        (GraphAccess("u", "client", "s", tenant_id="one"), "ONE", True),
        (GraphAccess("u", "client", "s", tenant_id="one"), "other", False),
        (GraphAccess("u", "client", "s", tenant_id="one"), "", False),
        (GraphAccess("u", "client", "s"), "one", True),
        (GraphAccess("u", "client", "s"), "", False),
        (GraphAccess("u", "client", "s"), "../common", False),
        (GraphAccess("u"), "", True),
    ],
)
def test_graph_is_for_the_tenant_that_is_set_or_else_for_that_of_each_send(
    access: GraphAccess, tenant: str, covered: bool
) -> None:
    assert access.covers(tenant) is covered


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


# --- the bot behind


def test_the_bot_behind_is_named_by_its_endpoint() -> None:
    assert cloud().upstream_bot == ""
    url = "https://Other.example:8443/api/messages?code=a%2Fb=="
    assert cloud(PROACTIVE_UPSTREAM_BOT=f" {url} ").upstream_bot == url
    assert local(PROACTIVE_UPSTREAM_BOT="http://127.0.0.1:3978/api/messages").upstream_bot


@pytest.mark.parametrize(
    "url",
    [
        "other.example/api/messages", "http://other.example/api/messages", "http://127.0.0.1:3978/api/messages",
        "https://other.example", "https://me:secret@other.example/api", "https://other.example/api#x",
        "https://other.example/a b", "https://other.example\\@evil.example/", "https://other.example:0/api",
        "https:///api/messages", "https://contoso.azurewebsites.net/api/messages", "https://other.example/\r\nX: 1",
    ],
)  # fmt: skip
def test_an_address_that_no_bot_could_have_is_refused(url: str) -> None:
    sentence = refusal({**CLOUD, "PROACTIVE_UPSTREAM_BOT": url})
    assert "PROACTIVE_UPSTREAM_BOT" in sentence
    assert "secret" not in sentence


def test_only_a_loopback_address_may_lack_https_on_a_laptop() -> None:
    assert "PROACTIVE_UPSTREAM_BOT" in refusal({**LOCAL, "PROACTIVE_UPSTREAM_BOT": "http://other.example/api/messages"})


# --- secrets, and whatever people type


def test_no_secret_shows_when_settings_are_printed() -> None:
    settings = cloud(
        MicrosoftAppType="MultiTenant",
        MicrosoftAppPassword="open sesame",
        PROACTIVE_CALLBACK_SECRET=SECRET,
        PROACTIVE_UPSTREAM_BOT="https://other.example/api/messages?code=behind",
        AzureWebJobsStorage="AccountName=a;AccountKey=c2VjcmV0",
        **CLIENT,
        PROACTIVE_GRAPH_CERTIFICATE=private_key_pem() + certificate_pem(),
    )
    with_secret = cloud(**CLIENT, PROACTIVE_GRAPH_CLIENT_SECRET="gr4ph")
    shown = f"{settings!r} {settings} {with_secret!r} {settings.graph and settings.graph.certificate!r}"
    assert not [
        secret for secret in ("open sesame", SECRET, "c2VjcmV0", "gr4ph", "behind", "PRIVATE KEY") if secret in shown
    ]


def test_no_secret_shows_in_the_sentence_about_it() -> None:
    assert "sesame" not in refusal({**CLOUD, "PROACTIVE_CALLBACK_SECRET": "sesame"})
    assert "c2VjcmV0" not in refusal({**CLOUD, "AzureWebJobsStorage": "AccountKey=c2VjcmV0"})
    assert "sesame" not in refusal({**CLOUD, "PROACTIVE_BOTS": '[{"password": "sesame"}]'})


def test_settings_cannot_be_changed_once_they_are_read() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        local().local = False  # type: ignore[misc]  # what the test is about


names = st.sampled_from(
    [
        *CLOUD,
        *LOCAL,
        "PROACTIVE_ALLOW_EVERYONE",
        "PROACTIVE_ACTIVE_CHAT_MINUTES",
        "PROACTIVE_BOTS",
        "PROACTIVE_CALLBACK_HOSTS",
        "PROACTIVE_CALLBACK_SECRET",
        "PROACTIVE_PUBLIC_URL",
        "PROACTIVE_CLOUD",
        "PROACTIVE_GRAPH_CERTIFICATE",
        "PROACTIVE_GRAPH_CLIENT_ID",
        "PROACTIVE_GRAPH_TENANT_ID",
        "PROACTIVE_GRAPH_URL",
        "PROACTIVE_RETENTION_DAYS",
        "PROACTIVE_TEAMS_URL",
        "PROACTIVE_UPSTREAM_BOT",
        "MicrosoftAppType",
        "WEBSITE_SITE_NAME",
    ]
)
values = st.text(max_size=8) | st.sampled_from(["true", "7", "https://a.b", "[{}]", '[{"name":null}]', "a.b,", "="])


def settings_or_error(env: dict[str, str]) -> Settings | SettingsError:
    try:
        return load(env)
    except SettingsError as error:
        return error


@given(st.sampled_from([CLOUD, LOCAL]), st.dictionaries(names, values, max_size=5))
def test_whatever_stands_in_the_environment_there_are_settings_or_a_sentence(
    base: dict[str, str], changes: dict[str, str]
) -> None:
    found = settings_or_error({**base, **changes})
    if isinstance(found, SettingsError):
        assert any(name in str(found) for name in ("AzureWebJobsStorage", "MicrosoftApp", "PROACTIVE_"))
    else:
        assert found.bots
        assert found.public_url
