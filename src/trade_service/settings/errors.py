"""What is wrong with the settings, in one line."""

from __future__ import annotations


class SettingsError(Exception):
    """A setting stops the start. The message is one line: the variable (or file and key), value and rule."""
