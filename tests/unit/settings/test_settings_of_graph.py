"""How Microsoft Graph is asked, and Teams where no activity has told its address."""

import pytest

from proactive.clouds import CLOUDS, PUBLIC
from proactive.settings import GraphAccess
from tests.unit.certificates import certificate_pem, other_key_pem, private_key_pem
from tests.unit.settings.env import CLIENT, CLOUD, cloud, local, refusal

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
