"""The profiles by name. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from execution_simulator.manners import Manners
from execution_simulator.published import Published
from execution_simulator.real import Real

ProfileName = Literal["real", "published"]
"""``real``: as the deployed service was seen to behave; ``published``: as its OpenAPI document reads."""

REAL: Final = Real()
PUBLISHED: Final = Published()
PROFILES: Final[Mapping[ProfileName, Manners]] = MappingProxyType({"real": REAL, "published": PUBLISHED})
