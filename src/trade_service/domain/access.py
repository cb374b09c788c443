"""Principals, their roles and their credentials."""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple

import msgspec


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


MAX_NAME_CHARS = 255
"""Limit of a caller's name: OpenID Connect's limit of a token's subject."""


class KnownBy(StrEnum):
    """How the name of a caller is known."""

    NONE = "none"
    """Not at all: nobody is authenticated, and a name is only what the request says."""
    API_KEY = "api-key"
    """The name of its API key."""
    TOKEN = "token"
    """The subject of its token."""
    COMMAND = "command"
    """The operating system's user who ran a command."""


class Principal(NamedTuple):
    """An authenticated caller."""

    name: str
    role: Role
    known_by: KnownBy = KnownBy.NONE
    expires_at: float | None = None
    """When its token expires, in seconds since 1970; streams end then."""


class Requester(msgspec.Struct, frozen=True):
    """Who asks for a change, and from where, as the audit log records it."""

    actor: str = ""
    known_by: KnownBy = KnownBy.NONE
    address: str | None = None
    """The client's address; None for a command."""
    request_id: str | None = None
    is_audited: bool = False
    """Whether changes are recorded in the audit log."""


class ApiKey(NamedTuple):
    """A stored API key; only the digest of its secret is stored."""

    id: str
    name: str
    role: Role
    digest: bytes
    label: str | None = None
    """What it is for, in its owner's words."""
    created_at: datetime | None = None
    expires_at: datetime | None = None
    """None: it does not expire."""
    last_used_at: datetime | None = None
    """Up to a minute late; None: never."""
    replaced_by: str | None = None
    """The id of the key that a rotation put in its place."""
    revoked_at: datetime | None = None
    has_ended: bool = False
    """Whether it is revoked or expired, by the database's clock."""


class NotAuthenticated(Exception):
    """The credential is missing or invalid; the message says which, without quoting it."""


class CredentialsNotCheckable(Exception):
    """The source that verifies credentials is unavailable, so their validity is unknown."""
