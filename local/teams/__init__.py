"""A stand-in for Teams: a fake Bot Connector with the documented limits and errors, and fake people who answer."""

from local.teams.crowd import Crowd
from local.teams.faults import Fault, bad_weather
from local.teams.people import BOT, CONTOSO, Group, Person, people
from local.teams.server import TeamsStandIn

__all__ = ["BOT", "CONTOSO", "Crowd", "Fault", "Group", "Person", "TeamsStandIn", "bad_weather", "people"]
