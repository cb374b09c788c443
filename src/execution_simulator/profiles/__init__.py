"""The simulator's profiles: how strictly each follows the deployed Execution Service. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from execution_simulator.profiles.base import Profile
from execution_simulator.profiles.published import Published
from execution_simulator.profiles.real import Real

ProfileName = Literal["real", "published"]
"""``real``: the observed behaviour of the deployed service; ``published``: its OpenAPI document."""

REAL: Final = Real()
PUBLISHED: Final = Published()
PROFILES: Final[Mapping[ProfileName, Profile]] = MappingProxyType({"real": REAL, "published": PUBLISHED})
