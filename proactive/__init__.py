"""A bot that speaks first in Microsoft Teams: sends are accepted, planned, delivered, answered and called back."""
