"""The clouds that Teams runs in, one table: where its bots sign in, where they are served, and who vouches for it.

One deployment is for one cloud (`PROACTIVE_CLOUD`). The values are Microsoft's, by column:

    teams_url        Microsoft Learn, "Send proactive messages": the service URL where no activity has told one
    sign_in_url      Microsoft Learn, "Microsoft Graph national cloud deployments": Entra ID's endpoint of a cloud
    sign_in_tenant   botbuilder-dotnet, `ToChannelFromBotLoginUrl` of (Government)AuthenticationConstants: where bots of
                     many tenants sign in
    bot_framework    the same, `ToChannelFromBotOAuthScope`: what a token for Teams is for
    issuer           the same, `ToBotFromChannelTokenIssuer`: who signs what Teams posts
    metadata_url     the same, `ToBotFromChannelOpenIdMetadataUrl`: which keys it is signed with
    graph_url        Microsoft Learn, "Microsoft Graph national cloud deployments"

GCC is an environment of the public cloud: only Teams' own address differs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType


@dataclass(frozen=True)
class Cloud:
    """A cloud, by its name in the settings. Addresses are https, and without a slash at the end unless one belongs."""

    name: str
    teams_url: str
    sign_in_url: str
    sign_in_tenant: str
    bot_framework: str
    issuer: str
    metadata_url: str
    graph_url: str


PUBLIC = Cloud(
    name="public",
    teams_url="https://smba.trafficmanager.net/teams/",
    sign_in_url="https://login.microsoftonline.com",
    sign_in_tenant="botframework.com",
    bot_framework="https://api.botframework.com",
    issuer="https://api.botframework.com",
    metadata_url="https://login.botframework.com/v1/.well-known/openidconfiguration",
    graph_url="https://graph.microsoft.com",
)
GCC = replace(PUBLIC, name="gcc", teams_url="https://smba.infra.gcc.teams.microsoft.com/teams")
GCC_HIGH = Cloud(
    name="gccHigh",
    teams_url="https://smba.infra.gov.teams.microsoft.us/teams",
    sign_in_url="https://login.microsoftonline.us",
    sign_in_tenant="MicrosoftServices.onmicrosoft.us",
    bot_framework="https://api.botframework.us",
    issuer="https://api.botframework.us",
    metadata_url="https://login.botframework.azure.us/v1/.well-known/openidconfiguration",
    graph_url="https://graph.microsoft.us",
)
DOD = replace(
    GCC_HIGH,
    name="dod",
    teams_url="https://smba.infra.dod.teams.microsoft.us/teams",
    graph_url="https://dod-graph.microsoft.us",
)
CLOUDS: Mapping[str, Cloud] = MappingProxyType({cloud.name: cloud for cloud in (PUBLIC, GCC, GCC_HIGH, DOD)})
