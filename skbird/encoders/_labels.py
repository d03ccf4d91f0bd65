"""Names of the classes of a pretrained model."""

import csv
import hashlib
import io
import re

from skbird.utils._files import read_bytes
from skbird.utils._text import decode_text, refuse_binary


def read_class_names(spec, folder):
    """Return the scientific names of the classes of a model, in order.

    Parameters
    ----------
    spec : EncoderSpec
    folder : Path
        Where its `labels_file` lies.

    Returns
    -------
    tuple of str
        Empty if the model has no scores, or nothing is said of its classes.

    Raises
    ------
    ValueError
        If there are not as many as scores.
    """
    if "scores" not in spec.outputs or spec.class_names or spec.labels_file is None:
        return spec.class_names
    path = folder / spec.labels_file
    if not path.is_file():
        raise FileNotFoundError(
            f"The names of the classes of {spec.name} are not here: put "
            f"{spec.labels_file} into {folder}."
        )
    content = read_bytes(path)
    found = hashlib.sha256(content).hexdigest()
    if spec.labels_sha256 not in (None, found):
        raise ValueError(
            f"{path} is not the labels_file of {spec.name}: its SHA-256 is {found}, "
            f"not {spec.labels_sha256}. Replace it, or pass a spec of its own."
        )
    text = decode_text(content, str(path)).lstrip("\ufeff")
    refuse_binary(text, str(path))
    try:
        names = _parse(text, spec, path)
    except csv.Error as exc:
        raise ValueError(f"{path} is no table: {exc}.") from exc
    n_scores = spec.outputs["scores"].shape[-1]
    if len(names) != n_scores:
        raise ValueError(
            f"{path} has {len(names)} names for {n_scores} scores of {spec.name}. It "
            "is the file of another version, or labels_format is wrong."
        )
    return tuple(names)


def _parse(text, spec, path):
    if spec.labels_format == "csv":
        separator = max(",;\t", key=text.partition("\n")[0].count)
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
        column = spec.labels_column
        if column not in (rows.fieldnames or ()):
            raise ValueError(
                f"{path} has the columns {rows.fieldnames}, not "
                f"labels_column={column!r}."
            )
        return [(row[column] or "").strip() for row in rows]
    lines = [line.strip() for line in re.split(r"\r?\n", text.rstrip("\r\n"))]
    if spec.labels_format == "headed lines":
        lines = lines[1:]
    if spec.labels_format == "scientific_common":
        lines = [line.partition("_")[0] for line in lines]
    if spec.labels_format == "code_scientific_common":
        lines = [_second(line, spec, path) for line in lines]
    return lines


def _second(line, spec, path):
    parts = line.split("\t")
    if len(parts) < 2:
        raise ValueError(
            f"{path} has the line {line!r:.100}, without a tab: labels_format="
            f"{spec.labels_format!r} is wrong."
        )
    return parts[1]
