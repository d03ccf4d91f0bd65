"""Read the `Settings` of a training from a file and from flags."""

import tomllib
from dataclasses import fields, replace

import click

from skbird.cli._encoder_training import check_flags
from skbird.cli._parameters import unknown_name
from skbird.cli._settings import DEFAULTS, Settings
from skbird.utils._files import read_bytes

_MAX_BYTES = 1_000_000  # of a configuration


def read_settings(config, flags, assignments, unused=None):
    """Put together what a file and flags say; flags count more.

    Parameters
    ----------
    config : Path or None
        A TOML file.
    flags : dict
        By the names of `Settings`; None: not given.
    assignments : sequence of str
        ``name=value`` with parameters of the pipeline; the value as in TOML, or text.
    unused : dict, default=None
        Settings that the command has no use for, and why: they are refused.

    Returns
    -------
    Settings

    Raises
    ------
    click.UsageError
        If a name is unknown, or a value is of another kind.
    """
    given = {} if config is None else _read_toml(config, unused or {})
    pairs = dict(map(_parse_assignment, assignments))
    given["set"] = given.get("set", {}) | pairs
    given |= {name: value for name, value in flags.items() if value is not None}
    settings = replace(DEFAULTS, **given, given=frozenset(given))
    check_flags(settings)
    return settings


def _read_toml(path, unused):
    try:
        raw = read_bytes(path, max_bytes=_MAX_BYTES)
    except ValueError as exc:
        raise click.UsageError(f"--config: {exc}") from None
    try:
        # Editors of Windows begin a file with a mark.
        values = tomllib.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:  # also of numbers without end
        raise click.UsageError(f"{path} is no TOML file: {exc}") from None
    known = {field.name: field for field in fields(Settings) if field.name != "given"}
    for name, value in values.items():
        if name in unused:
            raise click.UsageError(
                f"{path}: {name} has no effect here: {unused[name]}. It is of `skbird "
                "train`; leave it out."
            )
        if name not in known:
            _refuse_flag(path, name)
            raise click.UsageError(f"{path}: {unknown_name(name, list(known))}")
        values[name] = _check_value(path, known[name], value)
    return values


def _refuse_flag(path, name):
    """Raise an error if a key is of a flag that a file cannot have."""
    context = click.get_current_context(silent=True)
    for option in () if context is None else context.command.params:
        if name == option.name and isinstance(option, click.Option):
            raise click.UsageError(
                f"{path}: {name} goes on the command line only, as {option.opts[0]}."
            )


def _check_value(path, field, value):
    """Return a value of a file if a flag would be allowed to have it."""
    if field.type is float and type(value) is int:
        value = float(value)
    if field.name == "channels" and type(value) is int:
        value = str(value)
    place = f"{path}: {field.name} = {value!r}"
    if type(value) is not field.type:
        raise click.UsageError(f"{place} must be of type {field.type.__name__}.")
    if field.name != "set":
        try:
            field.metadata["kind"].convert(value, None, None)
        except click.BadParameter as exc:
            raise click.UsageError(f"{place}: {exc.message}") from None
    return value


def _parse_assignment(text):
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--set {text!r}: write NAME=VALUE.")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        return name, None if value == "None" else value
