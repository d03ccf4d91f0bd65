"""Checkpoints of trainings: plain data, damage, strangers' files, full disks."""

import errno
import io
import os
import pickle
import sys
import warnings
from hashlib import blake2b
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback, LRScheduler
from test_training import Rows, make_stripes, small

from skbird.nn import _checkpoint
from skbird.nn._plain import from_plain, to_plain


@pytest.fixture(scope="module")
def stripes():
    return make_stripes(40)


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def rewritten(change):
    """Return a damage that changes the state within a whole checkpoint."""

    def damage(path):
        mark, digest = _checkpoint._MARK, _checkpoint._DIGEST
        data = path.read_bytes()[len(mark) + digest :]
        buffer = io.BytesIO()
        torch.save(change(torch.load(io.BytesIO(data)), path), buffer)
        data = buffer.getvalue()
        path.write_bytes(mark + blake2b(data, digest_size=digest).digest() + data)

    return damage


def with_part(state, name, *value):
    """Return a plain state with another part of that name, or without it."""
    others = [item for item in state["value"] if item[0] != name]
    return {**state, "value": others + [(name, part) for part in value]}


def nest(path):
    """Add lists in lists, more than Python goes into."""
    value = []
    for _ in range(3000):
        value = [value]
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        rewritten(lambda state, path: with_part(state, "more", value))(path)
    finally:
        sys.setrecursionlimit(limit)


def cut_weights(state):
    weights = dict(state["value"])["module"]
    cut = [
        (name, value[:1] if value.ndim else value) for name, value in weights["value"]
    ]
    return {**weights, "value": cut}


DAMAGES = {
    "empty": (lambda path: path.write_bytes(b""), "does not begin like one"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-1]), "checksum"),
    "flipped": (
        lambda path: path.write_bytes(path.read_bytes()[:-999] + bytes(999)),
        "checksum",
    ),
    "pickle": (
        lambda path: path.write_bytes(pickle.dumps(Trap(path.with_name("sprung")))),
        "does not begin like one",
    ),
    "of torch": (
        lambda path: torch.save(Trap(path.with_name("sprung")), path),
        "does not begin like one",
    ),
    "trap": (
        rewritten(lambda state, path: Trap(path.with_name("sprung"))),
        r"other things than data \(UnpicklingError\)",
    ),
    "array": (
        rewritten(lambda state, path: np.zeros(3)),
        "other things than data",
    ),
    "deep": (
        nest,
        r"other things than data \(RecursionError\)",
    ),
    "no weights": (
        rewritten(lambda state, path: with_part(state, "module")),
        "its part 'module' is missing or wrong",
    ),
    "weights of text": (
        rewritten(lambda state, path: with_part(state, "module", to_plain({"w": "x"}))),
        "its part 'module' is missing or wrong",
    ),
    "no fingerprint": (
        rewritten(lambda state, path: with_part(state, "fingerprint")),
        "it is of another training",
    ),
    "no end": (
        rewritten(lambda state, path: with_part(state, "finished")),
        "its part 'finished' is missing or wrong",
    ),
    "no history": (
        rewritten(lambda state, path: with_part(state, "history")),
        "its part 'history' is missing or wrong",
    ),
    "other history": (
        rewritten(lambda state, path: with_part(state, "history", [1])),
        "its part 'history' is missing or wrong",
    ),
    "other precision": (
        rewritten(lambda state, path: with_part(state, "precision", "int4")),
        "its part 'precision' is missing or wrong",
    ),
    "other shapes": (
        rewritten(lambda state, path: with_part(state, "module", cut_weights(state))),
        r"it does not fit \(RuntimeError\)",
    ),
    "not finished": (
        rewritten(lambda state, path: with_part(state, "finished", False)),
        r"it does not fit \(KeyError\)",
    ),
    "nothing": (rewritten(lambda state, path: None), "of another training"),
    "other kinds": (
        rewritten(lambda state, path: {"skbird kind": "model", "value": 1}),
        r"other things than data \(KeyError\)",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_no_checkpoint_is_left_aside(stripes, tmp_path, damage):
    X, Y = stripes
    net = small(checkpoint_dir=tmp_path, max_epochs=1)
    expected = clone(net).fit(X, Y).predict_proba(X)
    (path,) = tmp_path.glob("*.pt")
    change, reason = DAMAGES[damage]
    change(path)
    message = rf"is not a checkpoint of this .*{reason}.* now called .*\.damaged"
    with pytest.warns(UserWarning, match=message):
        again = clone(net).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(again, expected)
    assert {file.suffix for file in tmp_path.iterdir()} == {".pt", ".damaged"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(net).fit(X, Y)


@pytest.mark.slow
def test_how_the_rows_were_put_together_makes_no_other_training(stripes, tmp_path):
    X, Y = stripes[0].assign(x=0.5, y=0.5), stripes[1]
    united = X.assign()
    united.rows = X.rows.copy()  # x and y as one block
    assert joblib.hash(united.rows) != joblib.hash(X.rows)
    for rows in X, united:
        small(checkpoint_dir=tmp_path, max_epochs=1).fit(rows, Y)
    assert len(list(tmp_path.glob("*.pt"))) == 1


@pytest.mark.slow
def test_the_checkpoint_of_another_training_is_left_aside(stripes, tmp_path):
    for lr in (1e-3, 1e-2):
        small(checkpoint_dir=tmp_path, max_epochs=1, lr=lr).fit(*stripes)
    one, other = tmp_path.glob("*.pt")
    data = other.read_bytes()
    one.write_bytes(data)
    other.write_bytes(data)
    damaged = 0
    for lr in (1e-3, 1e-2):
        net = small(checkpoint_dir=tmp_path, max_epochs=1, lr=lr)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            net.fit(*stripes)
        damaged += sum("it is of another training" in str(w.message) for w in said)
    assert damaged == 1


def test_states_of_callbacks_are_plain_data():
    state = {
        "best": [(0.5, 1, {"w": torch.ones(2)})],
        3: {"a", "b"},
        None: np.array([[True, False]]),
        "draws": np.random.RandomState(0).get_state(),
        "score": np.float32(0.1),
    }
    buffer = io.BytesIO()
    torch.save(to_plain(state), buffer)
    buffer.seek(0)
    again = from_plain(torch.load(buffer, weights_only=True))
    assert list(again) == list(state)
    assert again[3] == {"a", "b"}
    assert again["score"] == np.float32(0.1)
    torch.testing.assert_close(again["best"][0][2], {"w": torch.ones(2)})
    np.testing.assert_array_equal(again[None], state[None])
    for new, old in zip(again["draws"], state["draws"], strict=True):
        np.testing.assert_array_equal(new, old)
    with pytest.raises(TypeError, match="Path is not plain data"):
        to_plain({"a": [Path("a")]})


class Keeper(Callback):
    """Keeps what a checkpoint cannot."""

    def on_train_begin(self, net, **kwargs):
        self.place_ = Path("a")
        self.scorer_ = len


def test_what_a_checkpoint_cannot_keep_is_said_once(stripes, tmp_path):
    net = small(checkpoint_dir=tmp_path, max_epochs=3, callbacks=[("keep", Keeper())])
    with pytest.warns(UserWarning, match=r"keeps in keep.place_ \(.*Path is n") as said:
        net.fit(*stripes)
    assert sum("leaves out" in str(warning.message) for warning in said) == 1


@pytest.mark.slow
def test_a_scheduler_of_torch_goes_on(stripes, tmp_path):
    """Its state goes into the one that steers the optimizer of the new process."""
    X, Y = stripes
    schedule = LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
    net = small(max_epochs=4, callbacks=[("steps", schedule)])
    expected = clone(net).fit(X, Y)
    rows = Rows()
    rows.killed_in_ = 3
    callbacks = [("steps", schedule), ("rows", rows)]
    killed = clone(net).set_params(checkpoint_dir=tmp_path, callbacks=callbacks)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        killed.fit(X, Y)
    callbacks = [("steps", schedule), ("rows", Rows())]
    resumed = clone(net).set_params(checkpoint_dir=tmp_path, callbacks=callbacks)
    resumed.fit(X, Y)
    np.testing.assert_array_equal(resumed.predict_proba(X), expected.predict_proba(X))


def test_a_full_disk_for_checkpoints_is_named(stripes, tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = tmp_path / "states"
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(OSError, match=r"No space is left for .*\.pt in .*states"):
            small(checkpoint_dir=folder, max_epochs=1).fit(*stripes)
    assert not list(folder.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"file cannot be made: a file is in its place"):
        small(checkpoint_dir=tmp_path / "file", max_epochs=1).fit(*stripes)
