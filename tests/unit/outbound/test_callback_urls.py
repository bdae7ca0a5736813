"""Which URLs may be called back, and how a call is signed."""

import base64
import hashlib
import hmac
import time

import pytest

from proactive.outbound import sign, url_error
from tests.unit.outbound.receivers import FLOW, HOSTS, SECRET

# --- which URLs


@pytest.mark.parametrize(
    "url",
    [
        FLOW,
        f"{FLOW}/",
        f"{FLOW}?sig=x",
        f"{FLOW}:443/workflows/a1/runs/0858/actions/Ask/run?api-version=2016-10-01&sp=%2Fruns%2F0858&sv=1.0&sig=a-b_c",
        "HTTPS://PROD-01.WestEurope.Logic.Azure.COM/x",
        "https://a.logic.azure.com/a/../b//c;d=1,2!$'()*~",
        "https://xn--e1afmkfd.logic.azure.com/",
        "https://a.logic.azure.com/?to=https://evil.com/@x",
        "https://hooks.contoso.com/",
        "https://HOOKS.contoso.com:443/",
        f"{FLOW}/{'a' * (4096 - len(FLOW) - 1)}",
    ],
)
@pytest.mark.parametrize("allow_loopback", [False, True])
def test_a_listed_host_may_be_called_back(url, allow_loopback):
    assert url_error(url, HOSTS, allow_loopback=allow_loopback) is None


LOOPBACK = [
    "http://localhost:8080/x",
    "http://LocalHost/x",
    "https://localhost:1/x",
    "http://127.0.0.1:56150/x?y=z",
    "https://127.0.0.1/x",
    "http://127.255.1.2:65535/x",
    "http://[::1]:8080/x",
    "http://[0:0:0:0:0:0:0:1]/x",
]


@pytest.mark.parametrize("url", LOOPBACK)
def test_loopback_may_be_called_back_where_it_is_allowed(url):
    assert url_error(url, (), allow_loopback=True) is None


@pytest.mark.parametrize("url", [url for url in LOOPBACK if not url.startswith("https://localhost")])
def test_loopback_may_not_be_called_back_elsewhere(url):
    assert url_error(url, HOSTS, allow_loopback=False)


@pytest.mark.parametrize("allow_loopback", [False, True])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        # other hosts, and hosts that only look like listed ones
        ("https://evil.com/", "not among"),
        ("https://logic.azure.com/", "not among"),
        ("https://evillogic.azure.com/", "not among"),
        ("https://a.logic.azure.com.evil.com/", "not among"),
        ("https://a.logic.azure.com.evil.com:443/", "not among"),
        ("https://a.hooks.contoso.com/", "not among"),
        ("https://evilhooks.contoso.com/", "not among"),
        ("https://evil.com/?x=.logic.azure.com", "not among"),
        ("https://evil.com/a.logic.azure.com", "not among"),
        ("https://evil.com?.logic.azure.com", "not among"),
        ("https://localhost.evil.com/", "not among"),
        # names that parsers read in several ways
        ("https://a.logic.azure.com./", "malformed"),
        ("https://localhost./", "malformed"),
        ("https://.logic.azure.com/", "malformed"),
        ("https://a..logic.azure.com/", "malformed"),
        ("https://-a.logic.azure.com/", "malformed"),
        ("https://a%2elogic.azure.com/", "malformed"),
        ("https://%31%32%37.0.0.1/", "malformed"),
        ("https://evil.com%2f.logic.azure.com/", "malformed"),
        ("https://evil.com;.logic.azure.com/", "malformed"),
        ("https://evil.com,a.logic.azure.com/", "malformed"),
        (f"https://{'a' * 64}.logic.azure.com/", "malformed"),
        (f"https://{'a.' * 120}logic.azure.com/", "malformed"),
        ("https:///a.logic.azure.com/", "malformed"),
        ("https://", "malformed"),
        ("https://?x", "malformed"),
        ("https://[a.logic.azure.com]/", "malformed"),
        ("https://[127.0.0.1]/", "malformed"),
        ("https://[fe80::1%25eth0]/", "malformed"),
        # user info
        ("https://user@a.logic.azure.com/", "user"),
        ("https://user:pass@a.logic.azure.com/", "user"),
        ("https://a.logic.azure.com@evil.com/", "user"),
        ("https://a.logic.azure.com:443@evil.com/", "user"),
        ("https://@a.logic.azure.com/", "user"),
        ("https://evil.com#@a.logic.azure.com/", "fragment"),
        # addresses, in all their forms; two of them even stand in the list
        ("https://10.0.0.5/", "address"),
        ("https://126.0.0.1/", "address"),
        ("https://20.50.1.1/", "address"),
        ("https://168.63.129.16/", "address"),
        ("https://2130706433/", "address"),
        ("https://0x7f.1/", "address"),
        ("https://0X7F000001/", "address"),
        ("https://127.1/", "address"),
        ("https://0177.0.0.1/", "address"),
        ("https://256.256.256.256/", "address"),
        ("https://[::ffff:127.0.0.1]/", "address"),
        ("https://[::]/", "address"),
        ("https://[2606:4700:4700::1111]/", "address"),
        ("https://[::1:]/", "address"),
        # scheme and port
        ("http://a.logic.azure.com/", "https"),
        ("http://a.logic.azure.com:443/", "https"),
        ("https://a.logic.azure.com:80/", "443"),
        ("https://a.logic.azure.com:8443/", "443"),
        ("https://a.logic.azure.com:0443/", "malformed"),
        ("https://a.logic.azure.com:/", "malformed"),
        ("https://a.logic.azure.com:443:443/", "malformed"),
        ("https://a.logic.azure.com:+443/", "malformed"),
        ("http://127.0.0.1:0/", "malformed"),
        ("ftp://a.logic.azure.com/", "https"),
        ("file:///etc/passwd", "https"),
        ("//a.logic.azure.com/", "https"),
        ("/api/v1", "https"),
        ("a.logic.azure.com", "https"),
        ("https:/a.logic.azure.com/", "https"),
        ("https:a.logic.azure.com", "https"),
        ("", "https"),
        # characters
        (f"{FLOW}/#top", "fragment"),
        (f"{FLOW}/a b", "white space"),
        (f" {FLOW}", "white space"),
        (f"{FLOW}/\n", "white space"),
        (f"{FLOW}/\r\nX-Evil: 1", "white space"),
        ("https://a.logic.azure.com\t/", "white space"),
        ("ht\ttps://a.logic.azure.com/", "white space"),
        (f"{FLOW}/\x00", "white space"),
        (f"{FLOW}/\x7f", "white space"),
        ("https://evil.com\\.logic.azure.com/", "white space"),
        ("https:\\\\a.logic.azure.com/", "white space"),
        ("https://а.logic.azure.com/", "ASCII"),
        ("https://a.logic.azure.com/ü", "ASCII"),
        ("https://evil.com\uff0f.logic.azure.com/", "ASCII"),
        ("https://a。logic.azure.com/", "ASCII"),
        ("httpſ://a.logic.azure.com/", "ASCII"),
        (f"{FLOW}/{{x}}", "percent-encoded"),
        (f"{FLOW}/%zz", "percent-encoded"),
        (f"{FLOW}/?a=<b>", "percent-encoded"),
        (f"{FLOW}/{'a' * (4096 - len(FLOW))}", "4096"),
    ],
)
def test_what_may_not_be_called_back_is_told_without_being_quoted(url, said, allow_loopback):
    error = url_error(url, HOSTS, allow_loopback=allow_loopback)

    assert error is not None
    assert said in error
    assert "evil" not in error
    assert "azure" not in error


def test_a_port_beyond_the_last_is_refused_on_loopback_too():
    assert url_error("http://127.0.0.1:65536/", (), allow_loopback=True)


@pytest.mark.parametrize("url", ["https://" + "a" * 4000, "https://" + "a." * 2000, "https://" + "0." * 2000 + "x"])
def test_a_long_and_odd_url_is_told_at_once(url):
    start = time.process_time()
    assert url_error(url, HOSTS, allow_loopback=True)
    assert time.process_time() - start < 0.5


# --- how it is signed


def test_the_signature_is_the_one_of_standard_webhooks():
    # The reference vector that the specification's own libraries are tested with.
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}') == expected


@pytest.mark.parametrize("size", [24, 25, 26, 32, 64])
def test_a_secret_of_any_length_signs_with_or_without_its_padding(size):
    key = bytes(range(200, 200 + size % 56)) * 2
    secret = "whsec_" + base64.b64encode(key).decode()
    body = '{"name": "Zoë", "n": 100%, "nul": "\0"}'.encode()
    wanted = base64.b64encode(hmac.new(key, b"id.1800000000." + body, hashlib.sha256).digest()).decode()

    assert sign(secret, "id", 1_800_000_000, body) == f"v1,{wanted}"
    assert sign(secret.rstrip("="), "id", 1_800_000_000, body) == f"v1,{wanted}"
