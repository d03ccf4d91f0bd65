"""The encoder of a model file: its name and what its file must be, never the file."""

from dataclasses import asdict, dataclass, replace

from skbird.encoders import (
    EncoderSpec,
    find_files,
    known_specs,
    load_encoder,
    spec_from_table,
)
from skbird.inference._fields import FieldError, Text, read_fields

_MOST_SPEC = 4 * 2**20  # characters


class EncoderField:
    """A field: an encoder, by name, SHA-256 and, if skbird does not know it, spec.

    The weights are not in the model file: they have licenses of their own, and a graph
    of a stranger is not computed. Who reads the model must have the same file.
    """

    def write(self, value):
        """Return JSON for a value."""
        encoder = load_encoder(value)
        if encoder.runtime == "callable":
            raise FieldError("an encoder that is a function is in no file")
        known = known_specs().get(encoder.spec.name) == encoder.spec
        spec = None if known else _plain(_found_by_name(encoder))
        return {"name": encoder.spec.name, "sha256": encoder.identity, "spec": spec}

    def read(self, plain):
        """Return the encoder that JSON names, not yet opened."""
        fields = {"name": Text(80), "sha256": Text(64), "spec": _Any()}
        values = read_fields(fields, plain)
        return NamedEncoder(_spec(values["name"], values["spec"]), values["sha256"])


def _found_by_name(encoder):
    """Return a spec by which the file is looked for in the folder of encoders."""
    spec = encoder.spec
    places = {"url": None, "package": None, "package_folder": ""}
    return replace(spec, file=spec.file or encoder.file_name, **places)


@dataclass(frozen=True)
class NamedEncoder:
    """An encoder that a model file names."""

    spec: EncoderSpec
    sha256: str

    def open(self):
        """Return the `Encoder`; its file is looked for on this machine."""
        try:
            path = find_files(self.spec, download=False)
            encoder = load_encoder(path, self.spec)
        except FileNotFoundError as exc:
            raise EncoderMissingError(
                f"The model needs the encoder {self.spec.name}, which is not in it. "
                f"{exc}"
            ) from exc
        if encoder.identity != self.sha256:
            raise FieldError(
                f"it was trained on another file of {self.spec.name}, of SHA-256 "
                f"{self.sha256!r:.70}"
            )
        return encoder


class EncoderMissingError(FileNotFoundError):
    """A model file needs an encoder that is not on this machine."""


class _Any:
    def read(self, plain):
        return plain


def _plain(spec):
    return {name: value for name, value in asdict(spec).items() if value is not None}


def _spec(name, table):
    if table is None:
        if name not in known_specs():
            raise FieldError(f"{name!r:.100} is no encoder that skbird knows")
        return known_specs()[name]
    if not isinstance(table, dict) or len(repr(table)) > _MOST_SPEC:
        raise FieldError("the spec of its encoder is no table, or too large")
    try:
        spec = spec_from_table(table)
    except (TypeError, ValueError) as exc:
        raise FieldError(f"the spec of its encoder: {exc!s:.200}") from None
    if spec.name != name:
        raise FieldError(f"the spec of its encoder is of another, {spec.name}")
    if spec.url or spec.package:
        raise FieldError("the spec of its encoder says where to fetch it")
    if spec.file is None:
        raise FieldError("the spec of its encoder names no file")
    return spec
