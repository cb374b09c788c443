"""Sphinx builds the documentation site from the pages that also read well in the repository: `make docs`."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

project = "Trade service"
author = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["name"]
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["README.md", "CHANGELOG.md", "SECURITY.md", "console/README.md", "docs/**"]
exclude_patterns = ["docs/site"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
suppress_warnings = ["toc.not_included"]  # Decisions are reached from their own page.
html_theme = "furo"
html_title = project
html_static_path: list[str] = []
nitpicky = True
