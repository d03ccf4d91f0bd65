"""Where the file of a pretrained model is, by its known name or its path."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skbird.encoders._find import check_file, find_files, say_license, sha256_of
from skbird.encoders._onnx_files import weights_beside

_SUFFIXES = (".onnx", ".tflite", ".zip")


@dataclass(frozen=True)
class ModelFiles:
    """The files of one kind of models: encoders, or models of places and seasons.

    Parameters
    ----------
    parameter : str
        How errors call the model.
    noun : str
        And its kind.
    known_specs : callable
        Returns the specs that come with skbird, by name.
    read_spec : callable
        Reads the spec in a file.
    example : str
        How a spec is written, for errors.
    """

    parameter: str
    noun: str
    known_specs: Callable
    read_spec: Callable
    example: str

    def spec_of(self, spec):
        """Return a spec that may be given as a file."""
        if not isinstance(spec, str | os.PathLike):
            return spec
        try:
            return self.read_spec(spec)
        except ValueError as exc:
            raise ValueError(f"spec: {exc}") from exc

    def find(self, name, spec, folder, download):
        """Return the file of a model, and its spec; say its license once.

        Parameters
        ----------
        name : str
            A known name, or a path.
        spec : EncoderSpec, GeoModelSpec or None
            None: what is known of the name, or lies beside the file.
        folder, download
            See :func:`load_encoder`.

        Returns
        -------
        path : Path
        spec : EncoderSpec or GeoModelSpec

        Raises
        ------
        FileNotFoundError
            If the file is nowhere.
        ValueError
            If the name is not known, nothing says what the model wants, or the file is
            not the one that the spec means.
        """
        known = self.known_specs()
        if name in known:
            path = find_files(known[name], folder, download=download)
            spec = known[name] if spec is None else spec
        else:
            path = self._existing(name)
            spec = self._spec_beside(path) if spec is None else spec
            check_file(spec, path)
        say_license(spec)
        return path.absolute(), spec

    def find_again(self, source, spec, identity):
        """Return the file of a pickled model: the same, where it was or here.

        Parameters
        ----------
        source : str
            Where it was.
        spec : EncoderSpec or GeoModelSpec
        identity : str
            See `identity_of`.
        """
        path = Path(source)
        if not path.is_file() and spec.file is not None:
            path = find_files(spec)
        if not path.is_file():
            raise FileNotFoundError(
                f"The model {spec.name} was at {source}, and is not there any more. "
                f"Put it there, or load the {self.noun} anew."
            )
        found = identity_of(path)
        if found != identity:
            raise ValueError(
                f"{path} is not the file of {spec.name} that was pickled: its SHA-256 "
                f"is {found}, not {identity}. Put that file there."
            )
        return path.absolute()

    def _existing(self, name):
        path = Path(name)
        is_model = path.suffix.lower() in _SUFFIXES
        if path.is_file():
            if not is_model:
                raise ValueError(
                    f"{self.parameter}={name!r:.300} must end in .onnx or .tflite."
                )
            return path
        if is_model or os.sep in name:
            raise FileNotFoundError(
                f"{self.parameter}={name!r}: there is no such file."
            )
        raise ValueError(
            f"{self.parameter}={name!r:.100} is no known {self.noun} "
            f"({', '.join(self.known_specs())}), and no file."
        )

    def _spec_beside(self, path):
        for suffix in (".json", ".toml"):
            if path.with_suffix(suffix).is_file():
                return self.read_spec(path.with_suffix(suffix))
        by_sum = {s.sha256: s for s in self.known_specs().values() if s.sha256}
        found = by_sum.get(sha256_of(path))
        if found is None:
            raise ValueError(
                f"Nothing says what {path} wants and gives. Pass spec={self.example}, "
                f"or put it beside the file as {path.with_suffix('.json').name}."
            )
        return found


def identity_of(path):
    """Return what tells the model in a file from others.

    It is the SHA-256 of the file; with weights in further files, one of all of them.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
    """
    own = sha256_of(path)
    others = weights_beside(path) if path.suffix.lower() == ".onnx" else []
    if not others:
        return own
    lines = [own, *(f"{other.name} {sha256_of(other)}" for other in others)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
