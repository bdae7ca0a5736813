"""Where tokens may go: service URLs of the Teams clouds, and on a laptop those on loopback."""

from urllib.parse import urlsplit

import pytest
import yarl
from hypothesis import given
from hypothesis import strategies as st

from proactive.hosts import TEAMS_SERVICE_HOSTS, check_service_url

GOOD_SERVICE_URLS = [
    "https://smba.trafficmanager.net/teams/",
    "https://smba.trafficmanager.net",
    "https://smba.trafficmanager.net:443/emea/72f988bf-86f1-41af-91ab-2d7cd011db47/",
    "HTTPS://SMBA.TrafficManager.Net/teams",
    "https://smba.infra.gcc.teams.microsoft.com/teams",
    "https://smba.infra.gov.teams.microsoft.us/teams",
    "https://smba.infra.dod.teams.microsoft.us/teams",
]
BAD_SERVICE_URLS = [
    "",
    " ",
    "https://",
    "https:///teams",
    "//smba.trafficmanager.net/",
    "smba.trafficmanager.net",
    "http://smba.trafficmanager.net/teams/",
    "ftp://smba.trafficmanager.net/",
    "https:smba.trafficmanager.net",
    "https:/smba.trafficmanager.net",
    "https://smba.trafficmanager.net:80/",
    "https://smba.trafficmanager.net:/",
    "https://smba.trafficmanager.net:443:443/",
    "https://smba.trafficmanager.net:0443443/",
    "https://smba.trafficmanager.net:\u0664\u0664\u0663/",
    "https://smba.trafficmanager.net.evil.example/",
    "https://smba.trafficmanager.net./",
    "https://evilsmba.trafficmanager.net/",
    "https://evil.smba.trafficmanager.net/",
    "https://trafficmanager.net/",
    "https://evil.trafficmanager.net/",
    "https://user@smba.trafficmanager.net/",
    "https://user:secret@smba.trafficmanager.net/",
    "https://smba.trafficmanager.net@evil.example/",
    "https://smba.trafficmanager.net%40evil.example/",
    "https://smba.trafficmanager.net:443@evil.example/",
    "https://evil.example/smba.trafficmanager.net/",
    "https://evil.example#smba.trafficmanager.net/",
    "https://evil.example?smba.trafficmanager.net/",
    "https://smba.trafficmanager.net?@evil.example/",
    "https://smba.trafficmanager.net#@evil.example/",
    "https://smba.trafficmanager.net/?x=1",
    "https://smba.trafficmanager.net/#x",
    "https://smba.trafficmanager.net\\@evil.example/",
    "https://evil.example\\smba.trafficmanager.net/",
    "https:\\\\smba.trafficmanager.net/",
    "https://smba.trafficmanager.net/\\evil",
    "https://smba.trafficmanager.net\t.evil.example/",
    "https://smba.traffic\nmanager.net/",
    "https://smba.trafficmanager.net /",
    " https://smba.trafficmanager.net/",
    "https://smba.trafficmanager.net/\n",
    "https://smba.trafficmanager.net/\r\nHost: evil.example",
    "\x00https://smba.trafficmanager.net/",
    "https://\u017fmba.trafficmanager.net/",  # a long s, which upper-cases to S
    "https://smba.trafficmanager\u3002net/",  # an ideographic full stop, which IDNA makes a dot
    "https://smb\u0430.trafficmanager.net/",  # a Cyrillic a
    "https://\uff53mba.trafficmanager.net/",  # a full-width s
    "https://smba\u00ad.trafficmanager.net/",  # a soft hyphen, which IDNA drops
    "https://xn--mba-7na.trafficmanager.net/",
    "https://[smba.trafficmanager.net]/",
    "https://smba.trafficmanager.net/" + "a" * 3000,
]
LOOPBACK_URLS = [
    "http://127.0.0.1:3978",
    "http://127.255.0.3/x",
    "https://127.0.0.1:56150/_connector",
    "http://localhost:56150/_connector",
    "http://LOCALHOST/",
    "http://[::1]:3978/",
    "https://[0:0:0:0:0:0:0:1]/",
]
NEARLY_LOOPBACK_URLS = [
    "http://localhost.evil.example/",
    "http://127.0.0.1.evil.example/",
    "http://127.1/",
    "http://0177.0.0.1/",
    "http://2130706433/",
    "http://128.0.0.1/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://169.254.169.254/",
    "http://[::]/",
    "http://[::1",
    "http://::1/",
    "http://[::1%25eth0]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[127.0.0.1]/",
    "http://[localhost]/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:65536/",
    "http://user@127.0.0.1/",
]


@pytest.mark.parametrize("url", GOOD_SERVICE_URLS)
def test_tokens_may_go_to_the_teams_clouds(url: str) -> None:
    assert check_service_url(url, TEAMS_SERVICE_HOSTS, allow_loopback=False)
    assert check_service_url(url, TEAMS_SERVICE_HOSTS, allow_loopback=True)
    assert not check_service_url(url, [], allow_loopback=True)


@pytest.mark.parametrize("url", BAD_SERVICE_URLS)
def test_tokens_may_not_go_where_a_trick_leads(url: str) -> None:
    for allow_loopback in (False, True):
        assert not check_service_url(url, TEAMS_SERVICE_HOSTS, allow_loopback)


def test_a_letter_that_only_lower_cases_to_ascii_is_refused() -> None:
    assert check_service_url("https://kilo.example/", ["KILO.example"], allow_loopback=False)
    assert not check_service_url("https://\u212ailo.example/", ["kilo.example"], allow_loopback=False)  # a Kelvin sign


@pytest.mark.parametrize("url", LOOPBACK_URLS)
def test_tokens_may_go_to_loopback_only_where_that_is_allowed(url: str) -> None:
    assert check_service_url(url, TEAMS_SERVICE_HOSTS, allow_loopback=True)
    assert not check_service_url(url, TEAMS_SERVICE_HOSTS, allow_loopback=False)


@pytest.mark.parametrize("url", NEARLY_LOOPBACK_URLS)
def test_what_only_looks_like_loopback_is_refused(url: str) -> None:
    assert not check_service_url(url, TEAMS_SERVICE_HOSTS, allow_loopback=True)


@given(
    st.lists(
        st.sampled_from(["https://", "http://", "smba.trafficmanager.net", "evil.example", "127.0.0.1", ":443", ":80"])
        | st.text(alphabet="/\\@:?#.%[] \t\u017f\u3002ab1", max_size=3),
        max_size=6,
    ).map("".join)
)
def test_whatever_is_allowed_is_allowed_by_what_every_parser_sees(url: str) -> None:
    if check_service_url(url, TEAMS_SERVICE_HOSTS, allow_loopback=False):
        assert urlsplit(url).hostname == yarl.URL(url).host == "smba.trafficmanager.net"
        assert yarl.URL(url).port == 443
        assert urlsplit(url).username is yarl.URL(url).user is None
