"""Names of the classes of pretrained models, as their files have them."""

import hashlib
import os
import pickle
from dataclasses import replace

import pytest
from toy_encoder import toy_spec

from skbird.encoders._labels import read_class_names


def labels_spec(**changes):
    values = {"labels_file": "labels", "class_names": ()}
    return toy_spec(**values | changes)


FOUR = ("Rana arvalis", "Käuz", 'a "b"', "=cmd|x")


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ('Rana arvalis\nKäuz\na "b"\n=cmd|x\n', {}),
        ('Rana arvalis\r\nKäuz\r\na "b"\r\n=cmd|x', {}),
        (
            'head\nRana arvalis\nKäuz\na "b"\n=cmd|x\n',
            {"labels_format": "headed lines"},
        ),
        (
            'Rana arvalis_Moor_frog\nKäuz\na "b"_\n=cmd|x_b\n',
            {"labels_format": "scientific_common"},
        ),
        (
            'n,sci\n1,Rana arvalis\n2,Käuz\n3,"a ""b"""\n4,=cmd|x\n',
            {"labels_format": "csv", "labels_column": "sci"},
        ),
        (
            'n;sci\n1;Rana arvalis\n2;Käuz\n3;"a ""b"""\n4;=cmd|x\n',
            {"labels_format": "csv", "labels_column": "sci"},
        ),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_labels_of_every_format_are_read(tmp_path, text, options, encoding):
    (tmp_path / "labels").write_bytes(text.encode(encoding))
    assert read_class_names(labels_spec(**options), tmp_path) == FOUR


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"a\nb\nc\n", {}, "has 3 names for 4 scores.*labels_format"),
        (b"a\nb\nc\nd\ne\n", {}, "has 5 names for 4 scores"),
        (b"", {}, "has 1 names for 4 scores"),
        (b"a,b\n1,2\n", {"labels_format": "csv"}, "not labels_column=None"),
        (
            b"a,b\n1,2\n",
            {"labels_format": "csv", "labels_column": "c"},
            r"columns \['a', 'b'\], not labels_column='c'",
        ),
        (
            b"a,b\n1\n2\n3\n",
            {"labels_format": "csv", "labels_column": "b"},
            "3 names for 4",
        ),
        (
            b"a\n" + b"x" * 200_000,
            {"labels_format": "csv", "labels_column": "a"},
            "is no table",
        ),
        (b"\0\0\0\0\1", {}, "is no text"),
    ],
)
def test_labels_of_another_model_are_refused(tmp_path, content, options, message):
    (tmp_path / "labels").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_class_names(labels_spec(**options), tmp_path)


def test_labels_that_are_not_there_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"put labels into {tmp_path}"):
        read_class_names(labels_spec(), tmp_path)
    os.mkfifo(tmp_path / "labels")
    with pytest.raises(FileNotFoundError, match="put labels into"):
        read_class_names(labels_spec(), tmp_path)


def test_nothing_is_read_where_nothing_is_said(tmp_path):
    assert read_class_names(toy_spec(), tmp_path) == toy_spec().class_names
    only = {"embedding": toy_spec().outputs["embedding"]}
    spec = replace(labels_spec(), outputs=only)
    assert read_class_names(spec, tmp_path) == ()
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_labels_are_the_ones_that_the_spec_means(tmp_path):
    content = b"Bufo bufo\nRana arvalis\nKauz\nb\n"
    (tmp_path / "labels").write_bytes(content)
    found = hashlib.sha256(content).hexdigest()
    assert len(read_class_names(labels_spec(labels_sha256=found), tmp_path)) == 4
    with pytest.raises(ValueError, match=r"is not the labels_file of .* SHA-256"):
        read_class_names(labels_spec(labels_sha256=found[::-1]), tmp_path)
    with pytest.raises(ValueError, match="labels_sha256='12' must be 64"):
        labels_spec(labels_sha256="12")
