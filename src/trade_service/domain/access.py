"""Principals, their roles and their credentials."""

from datetime import datetime
from enum import IntEnum
from typing import NamedTuple


class Role(IntEnum):
    """What a caller may do; each role includes the ones below it."""

    ANYONE = 0
    """No credential needed: probes and other public information."""
    READER = 1
    TRADER = 2
    """May create, change and submit."""
    OPERATOR = 3
    """May resolve executions manually and operate the service."""

    @property
    def title(self) -> str:
        """Its name in settings, tokens and messages."""
        return self.name.lower()


GIVEN_ROLES = (Role.READER, Role.TRADER, Role.OPERATOR)
"""Roles that a key or token can carry."""


class Principal(NamedTuple):
    """An authenticated caller."""

    name: str
    role: Role


class ApiKey(NamedTuple):
    """A stored API key; only the digest of its secret is stored."""

    id: str
    name: str
    role: Role
    digest: bytes
    created_at: datetime | None = None
    revoked_at: datetime | None = None


class NotAuthenticated(Exception):
    """The credential is missing or invalid; the message says which, without quoting it."""


class CredentialsNotCheckable(Exception):
    """The source that verifies credentials is unavailable, so their validity is unknown."""
