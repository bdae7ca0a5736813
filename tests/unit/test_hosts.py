"""Where somebody may be whose cloud is another: at the hosts of Teams' other clouds, as far as tokens may go there."""

import pytest

from proactive.hosts import TEAMS_SERVICE_HOSTS, check_service_url, other_clouds

GLOBAL = "https://smba.trafficmanager.net/emea/5f2c1f4e-8a0b-4d57-9a3c-6a0f5f0d9b11/"
GCC = "https://smba.infra.gcc.teams.microsoft.com/teams"
HIGH = "https://smba.infra.gov.teams.microsoft.us/teams"
DOD = "https://smba.infra.dod.teams.microsoft.us/teams"


@pytest.mark.parametrize(
    ("url", "others"),
    [
        (GLOBAL, [GCC, HIGH, DOD]),
        (GCC, ["https://smba.trafficmanager.net/teams/", HIGH, DOD]),
        ("https://SMBA.infra.gov.teams.microsoft.us/teams/", ["https://smba.trafficmanager.net/teams/", GCC, DOD]),
    ],
)
def test_the_other_clouds_are_those_that_a_host_is_not_of(url: str, others: list[str]) -> None:
    assert other_clouds(url, TEAMS_SERVICE_HOSTS) == others
    assert all(check_service_url(other, TEAMS_SERVICE_HOSTS, allow_loopback=False) for other in others)


def test_only_hosts_that_tokens_may_go_to_are_named() -> None:
    assert other_clouds(GLOBAL, ["smba.trafficmanager.net"]) == []
    assert other_clouds(GLOBAL, ["SMBA.infra.gcc.teams.microsoft.com", "example.com"]) == [GCC]


@pytest.mark.parametrize("url", ["http://127.0.0.1:3978/teams/", "https://example.com/teams/", "https://", ""])
def test_who_is_in_no_cloud_of_teams_has_no_other(url: str) -> None:
    assert other_clouds(url, TEAMS_SERVICE_HOSTS) == []
