"""Moments as everybody outside reads them."""

from datetime import datetime
from typing import Annotated, TypeAlias

import msgspec

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""ISO 8601 with an offset: the description of the API calls it a date-time."""
