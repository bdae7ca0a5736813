"""A stand-in for Microsoft Graph: people, groups, teams and installs, with Graph's pages, batches and errors."""

from local.graph.faults import GraphFault
from local.graph.installs import TellTeams
from local.graph.organisation import GraphGroup, Organisation, Sample, TeamsApp, User, sample
from local.graph.server import GraphStandIn, GraphStats

__all__ = [
    "GraphFault",
    "GraphGroup",
    "GraphStandIn",
    "GraphStats",
    "Organisation",
    "Sample",
    "TeamsApp",
    "TellTeams",
    "User",
    "sample",
]
