"""Who asks, and what they may do."""

from datetime import datetime
from enum import IntEnum
from typing import NamedTuple


class Role(IntEnum):
    """What somebody may do; each role may do all that the ones below it may."""

    ANYONE = 0
    """Needs no credential: probes, and whatever else is told to the world."""
    READER = 1
    TRADER = 2
    """Creates, changes, submits."""
    OPERATOR = 3
    """Decides by hand what the service cannot, and looks after it."""

    @property
    def title(self) -> str:
        """The name in settings, tokens and messages."""
        return self.name.lower()


GIVEN_ROLES = (Role.READER, Role.TRADER, Role.OPERATOR)
"""Roles that a key or token can carry."""


class Principal(NamedTuple):
    """Somebody who was let in."""

    name: str
    role: Role


class ApiKey(NamedTuple):
    """A key that somebody holds; of its secret nothing but the digest is kept."""

    id: str
    name: str
    role: Role
    digest: bytes
    created_at: datetime | None = None
    revoked_at: datetime | None = None


class NotAuthenticated(Exception):
    """There is no credential, or it is not valid; the message says which, and nothing of the credential."""


class CredentialsNotCheckable(Exception):
    """What credentials are checked against cannot be reached: neither valid nor not."""
