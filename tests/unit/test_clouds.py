"""The table of clouds, against what Microsoft documents; it stands here a second time, so that no slip goes unseen."""

from urllib.parse import urlsplit

import pytest

from proactive.clouds import CLOUDS
from proactive.hosts import TEAMS_SERVICE_HOSTS, check_service_url

PUBLIC_SIGN_IN = ("https://login.microsoftonline.com", "botframework.com", "https://api.botframework.com")
US_SIGN_IN = ("https://login.microsoftonline.us", "MicrosoftServices.onmicrosoft.us", "https://api.botframework.us")
PUBLIC_KEYS = "https://login.botframework.com/v1/.well-known/openidconfiguration"
US_KEYS = "https://login.botframework.azure.us/v1/.well-known/openidconfiguration"


@pytest.mark.parametrize(
    ("name", "teams", "sign_in", "keys", "graph"),
    [
        ("public", "smba.trafficmanager.net", PUBLIC_SIGN_IN, PUBLIC_KEYS, "graph.microsoft.com"),
        ("gcc", "smba.infra.gcc.teams.microsoft.com", PUBLIC_SIGN_IN, PUBLIC_KEYS, "graph.microsoft.com"),
        ("gccHigh", "smba.infra.gov.teams.microsoft.us", US_SIGN_IN, US_KEYS, "graph.microsoft.us"),
        ("dod", "smba.infra.dod.teams.microsoft.us", US_SIGN_IN, US_KEYS, "dod-graph.microsoft.us"),
    ],
)
def test_a_cloud_is_as_documented(name: str, teams: str, sign_in: tuple[str, str, str], keys: str, graph: str) -> None:
    cloud = CLOUDS[name]
    assert cloud.name == name
    assert cloud.teams_url.rstrip("/") == f"https://{teams}/teams"
    assert (cloud.sign_in_url, cloud.sign_in_tenant, cloud.bot_framework) == sign_in
    assert cloud.issuer == cloud.bot_framework
    assert cloud.metadata_url == keys
    assert cloud.graph_url == f"https://{graph}"


def test_tokens_may_go_to_the_hosts_of_all_clouds_and_to_no_others() -> None:
    assert {urlsplit(cloud.teams_url).hostname for cloud in CLOUDS.values()} == TEAMS_SERVICE_HOSTS
    assert all(check_service_url(c.teams_url, TEAMS_SERVICE_HOSTS, allow_loopback=False) for c in CLOUDS.values())
