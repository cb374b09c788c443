"""Reads raw values from the TOML file, the environment, and files that hold one secret each."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from trade_service.masking import quoted
from trade_service.section import ENV_PREFIX, FILE_SUFFIX, SettingField
from trade_service.settings.tree import FIELDS, SECTIONS

CONFIG_VARIABLE = f"{ENV_PREFIX}CONFIG"
API_KEY_VARIABLE = f"{ENV_PREFIX}API_KEY"
"""The key that commands present to a running service."""
DEFAULT_FILE = "trade-service.toml"
_MAX_FILE_BYTES = 1_000_000
_MAX_SECRET_BYTES = 65_536

# Kubernetes adds the address of every Service of the namespace to the environment of each container; those
# of a Service named "trade-service" share our prefix.
_SERVICE_LINK = re.compile(
    r"TRADE_SERVICE_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)"
)


class SettingsError(Exception):
    """An invalid setting. The message is one line: the variable (or file and key), its value and the rule."""


class Raw(msgspec.Struct, frozen=True):
    """A value as found. `origin` is for the table, `label` starts an error; `is_text` marks untyped text.

    A value `from_file` is never shown in an error: the wrong file may hold another secret.
    """

    value: object
    origin: str
    label: str
    is_text: bool
    from_file: bool = False


def read_file(environ: Mapping[str, str], toml_path: Path | None) -> tuple[Path | None, dict[str, Raw]]:
    """The file in use, if any, and its values by dotted name; raises SettingsError.

    `toml_path` and the path in TRADE_SERVICE_CONFIG must exist; `trade-service.toml` in the working
    directory need not.
    """
    named_by = "--config"
    if toml_path is None and environ.get(CONFIG_VARIABLE, "").strip():
        named_by, toml_path = CONFIG_VARIABLE, Path(environ[CONFIG_VARIABLE].strip())
    if toml_path is None:
        toml_path = Path(DEFAULT_FILE)
        if not toml_path.is_file():
            return None, {}
        named_by = "the settings file"
    return toml_path, _flatten(_read_toml(toml_path, named_by), str(toml_path))


def read_environment(environ: Mapping[str, str]) -> tuple[dict[str, Raw], list[str]]:
    """Values of known variables by dotted name, and warnings about shadowed, empty and unknown variables.

    Raises SettingsError where a value and a file are given for one setting, and for a file without a value.
    """
    found: dict[str, Raw] = {}
    warnings: list[str] = []
    for field in FIELDS.values():
        names, paths = (
            _given(given, environ, field, warnings) for given in (field.env_names, field.file_env_names)
        )
        if names and paths:
            raise _given_twice(names[0], paths[0], field.name)
        if names:
            found[field.name] = Raw(environ[names[0]], f"environment {names[0]}", names[0], is_text=True)
        elif paths:
            found[field.name] = _from_file(environ[paths[0]].strip(), f"environment {paths[0]}", paths[0])
        for winner, *others in filter(None, (names, paths)):
            warnings += (f"{name} was ignored: {winner} is set as well and wins" for name in others)
    return found, warnings + _unknown_variables(environ)


def _given(
    names: tuple[str, ...], environ: Mapping[str, str], field: SettingField, warnings: list[str]
) -> list[str]:
    given = [name for name in names if name in environ and not _is_service_link(name, environ[name])]
    for name in list(given):
        # Deployments blank a variable to say "not set"; for a list, blank is the empty list.
        if not environ[name].strip() and not field.is_list:
            given.remove(name)
            warnings.append(f"{name} is empty and was ignored")
    return given


def check_name(name: str, label: str) -> None:
    """Raises SettingsError for a name that is no setting's, with the nearest one."""
    if name not in FIELDS:
        hint = _hint(name.rpartition(".")[2], list(FIELDS))
        raise SettingsError(f"{label}: there is no setting {quoted(name)}{hint}")


def _given_twice(value: str, file: str, name: str) -> SettingsError:
    return SettingsError(f"{value} and {file} are both set: set only one of them, both stand for {name}")


def _from_file(path: str, origin: str, label: str) -> Raw:
    text = read_secret_file(path, label)
    where = f" (file {quoted(path)[1:-1]})"
    return Raw(text, f"{origin}{where}", f"{label}{where}", is_text=True, from_file=True)


def read_secret_file(path: str, label: str) -> str:
    """The one line that a file holds, without its line break; raises SettingsError, which begins with `label`."""
    content = _read_bytes(Path(path), label, _MAX_SECRET_BYTES)
    place = f"{label}: {quoted(path)}"
    try:
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{place} must hold text in UTF-8, which byte {error.start} is not") from None
    if not text.strip():
        raise SettingsError(f"{place} is empty: it must hold the value")
    if any(character in text for character in "\n\r\0"):
        raise SettingsError(f"{place} must hold one line: the value and nothing else")
    return text


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    known = {name for field in FIELDS.values() for name in (*field.env_names, *field.file_env_names)}
    known |= {CONFIG_VARIABLE, API_KEY_VARIABLE, API_KEY_VARIABLE + FILE_SUFFIX}
    return [
        f"{quoted(name)[1:-1]} is not a setting and was ignored{_variable_hint(name)}"
        for name in sorted(environ)
        if name.startswith(ENV_PREFIX) and name not in known and not _is_service_link(name, environ[name])
    ]


def _variable_hint(name: str) -> str:
    """The nearest variable, compared without the common prefix, which makes any two names look alike."""
    proposals: dict[str, str] = {}
    for field in FIELDS.values():
        native, *aliases = field.env_names
        proposals.setdefault(field.key.upper(), native)
        proposals[native.removeprefix(ENV_PREFIX)] = native
        proposals.update({alias: alias for alias in aliases})
    return _nearest(name.removeprefix(ENV_PREFIX), proposals)


def _is_service_link(name: str, value: str) -> bool:
    """Also of a Service whose name makes one of our variables, such as trade-service-server."""
    if name.endswith("_PORT") and re.match(r"(?:tcp|udp|sctp)://", value):
        return True
    return _SERVICE_LINK.fullmatch(name) is not None


def _read_toml(path: Path, named_by: str) -> dict[str, object]:
    content = _read_bytes(path, named_by, _MAX_FILE_BYTES)
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: byte {error.start} is not UTF-8, as TOML demands") from error
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{path}: this is not valid TOML: {reason}") from error


def _read_bytes(path: Path, named_by: str, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = (error.strerror if isinstance(error, OSError) else None) or "not a path"
        raise SettingsError(f"{named_by}: {quoted(str(path))} cannot be read: {reason}") from error
    if len(content) > limit:
        raise SettingsError(f"{path}: the file must not be larger than {limit} bytes")
    return content


def _flatten(tree: Mapping[str, object], path: str) -> dict[str, Raw]:
    found: dict[str, Raw] = {}
    for section, table in tree.items():
        if section not in SECTIONS:
            known = [*SECTIONS, *(name for name, field in FIELDS.items() if field.key == section)]
            raise SettingsError(f"{path}: there is no setting {quoted(section)}{_hint(section, known)}")
        if not isinstance(table, dict):
            raise SettingsError(f"{path}:{section} is {quoted(table)}: it must be a table, [{section}]")
        for key, value in table.items():
            name = f"{section}.{key}"
            label = f"{path}:{name}"
            held = FIELDS.get(name.removesuffix(FILE_SUFFIX.lower()))
            if name not in FIELDS and held is not None and held.is_read_from_files:
                if held.key in table:
                    raise _given_twice(f"{path}:{held.name}", key, held.name)
                if not isinstance(value, str) or not value.strip():
                    raise SettingsError(f"{label} is {quoted(value)}: it must be the path of a file")
                found[held.name] = _from_file(value.strip(), label, label)
                continue
            if name not in FIELDS:
                known = [
                    other.name for other in FIELDS.values() if section == other.section or key == other.key
                ]
                raise SettingsError(f"{path}: there is no setting {quoted(name)}{_hint(key, known)}")
            found[name] = Raw(value, label, label, is_text=False)
    return found


def _hint(word: str, names: list[str]) -> str:
    """Compares the last part of dotted names, but proposes the whole name."""
    return _nearest(word, {name.rpartition(".")[2]: name for name in reversed(names)})


def _nearest(word: str, proposals: Mapping[str, str]) -> str:
    """The proposal whose key is nearest to the word, as the end of a message; empty where none is near."""
    near = difflib.get_close_matches(word[:100], list(proposals), n=1, cutoff=0.6)
    return f"; did you mean {proposals[near[0]]}?" if near else ""
