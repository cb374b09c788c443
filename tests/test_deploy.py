"""What `deploy/` says agrees with the service: settings, ports, paths, versions. `make deploy-check` runs the formats' own tools."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from trade_service import __version__
from trade_service.bootstrap.running import data_dir  # noqa: F401

ROOT = Path(__file__).parent.parent
