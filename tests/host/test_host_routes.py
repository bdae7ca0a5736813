import pytest

from local.host.errors import StartError
from local.host.routes import Table, decode, route


def table(*templates: str) -> Table[str]:
    return Table([route(template, ["GET"], template) for template in templates])


def found(routes: Table[str], path: str) -> tuple[str | None, dict[str, str]] | None:
    match = routes.match("GET", path)
    return match and (match.target, match.parameters)


@pytest.mark.parametrize(
    ("path", "target", "parameters"),
    [
        ("/api/a/literal", "api/a/literal", {}),
        ("/API/A/Literal/", "api/a/literal", {}),
        ("/api/a/7", "api/a/{n:int}", {"n": "7"}),
        ("/api/a/x", "api/a/{id}", {"id": "x"}),
        ("/api/a/x/y", "api/a/{*path}", {"path": "x/y"}),
        ("/api/a/x/y/", "api/a/{*path}", {"path": "x/y"}),
        ("/api/a", "api/a/{*path}", {}),
        ("/api/a/", "api/a/{*path}", {}),
    ],
)
def test_the_strictest_template_wins_whatever_the_order(path, target, parameters):
    templates = ["api/a/{*path}", "api/a/{id}", "api/a/{n:int}", "api/a/literal"]
    for order in (templates, templates[::-1]):
        assert found(table(*order), path) == (target, parameters)


@pytest.mark.parametrize("path", ["/", "/api", "/api/b", "/apis/a", "/api/a/x/z", "/api/a//", "//api/a"])
def test_another_path_matches_nothing(path):
    assert table("api/a", "api/a/{id}/y").match("GET", path) is None


def test_an_optional_parameter_may_be_absent():
    routes = table("api/a/{id?}")
    assert found(routes, "/api/a") == ("api/a/{id?}", {})
    assert found(routes, "/api/a/x") == ("api/a/{id?}", {"id": "x"})


def test_routes_of_one_path_share_it_by_method():
    routes = Table([route("a", ["get"], "reads"), route("a", ["POST", "put"], "writes")])
    assert routes.match("POST", "/a").target == "writes"
    other = routes.match("DELETE", "/a")
    assert (other.target, other.allow) == (None, {"GET", "POST", "PUT"})


def test_a_less_strict_route_takes_the_method_that_a_stricter_one_does_not():
    routes = Table([route("a/b", ["GET"], "literal"), route("a/{id}", ["DELETE"], "parameter")])
    assert routes.match("DELETE", "/a/b").target == "parameter"


@pytest.mark.parametrize(
    ("path", "decoded"),
    [("/a%20b", "/a b"), ("/a%2Fb%2fc", "/a%2Fb%2fc"), ("/%C3%BC", "/ü"), ("/a+b", "/a+b"), ("/%252F", "/%2F")],
)
def test_paths_are_decoded_but_escaped_slashes_stay(path, decoded):
    assert decode(path) == decoded


@pytest.mark.parametrize("template", ["a/x-{id}", "a/{id:length(3)}", "{*path}/a", "a/{id:roman}"])
def test_what_only_azure_understands_is_refused_by_name(template):
    with pytest.raises(StartError, match="a"):
        route(template, [], None)
