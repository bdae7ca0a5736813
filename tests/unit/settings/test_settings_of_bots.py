"""The bots of a deployment, and the bot behind."""

import json

import pytest

from proactive.settings import Bot
from tests.unit.settings.env import APP_ID, CLOUD, LOCAL, cloud, local, refusal

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
