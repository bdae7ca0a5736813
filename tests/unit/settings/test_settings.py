"""Every setting: its default, its forms, and one sentence that names it when it is wrong."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proactive.clouds import DOD, GCC, GCC_HIGH, PUBLIC
from proactive.hosts import TEAMS_SERVICE_HOSTS
from proactive.settings import Bot, Settings, SettingsError, load
from tests.unit.certificates import certificate_pem, private_key_pem
from tests.unit.settings.env import APP_ID, CLIENT, CLOUD, LOCAL, SECRET, cloud, connection_string, local, refusal

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
