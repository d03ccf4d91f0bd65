"""Functions as encoders, and what tells one from another."""

import copy
import os
import pickle
import subprocess
import sys
from functools import partial
from types import ModuleType

import numpy as np
import pytest
from sklearn.base import clone
from toy_encoder import NAMES, RATE, hear, toy, toy_spec

from skbird.encoders import (
    EmbeddingEncoder,
    EncoderOutput,
    _function_identity,
    load_encoder,
)
from skbird.encoders._function_identity import function_identity

FACTOR = 1.0


def scaled(windows):
    return {name: FACTOR * values for name, values in hear(windows).items()}


def of_factor(factor):
    return lambda windows: {n: factor * v for n, v in hear(windows).items()}


class Model:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, windows):
        return of_factor(self.factor)(windows)

    def hear(self, windows):
        return self(windows)


def multiplied(factor, windows):
    return of_factor(factor)(windows)


def identity(function):
    return toy(function).identity


def test_functions_of_one_name_are_told_apart(monkeypatch):
    assert identity(of_factor(1)) == identity(of_factor(1))
    assert identity(of_factor(1)) != identity(of_factor(2))
    assert identity(Model(1)) == identity(Model(1)) != identity(Model(2))
    assert identity(Model(1).hear) == identity(Model(1).hear)
    assert identity(Model(1).hear) != identity(Model(2).hear)
    assert identity(partial(multiplied, 1)) == identity(partial(multiplied, 1))
    assert identity(partial(multiplied, 1)) != identity(partial(multiplied, 2))
    one, other = (lambda windows: hear(windows), lambda windows: hear(windows + 1))
    assert identity(one) != identity(other)
    before = identity(scaled)
    monkeypatch.setitem(globals(), "FACTOR", 2.0)
    assert identity(scaled) != before


class Helped:
    factor = 1

    def __call__(self, windows):
        return self.help(self.factor * windows)

    def help(self, windows):
        return hear(windows)


def test_methods_and_functions_of_modules_count(monkeypatch):
    module = ModuleType("toads")
    module.hear = lambda windows: hear(windows)
    monkeypatch.setitem(globals(), "toads", module)
    functions = Helped(), Helped().help, lambda windows: toads.hear(windows)  # noqa: F821
    before = [identity(function) for function in functions]
    assert before == [identity(function) for function in functions]
    monkeypatch.setattr(Helped, "help", lambda self, windows: hear(2 * windows))
    module.hear = lambda windows: hear(windows + 1)
    after = [identity(function) for function in functions]
    monkeypatch.setattr(Helped, "factor", 3)
    assert identity(Helped()) not in (before[0], after[0])
    assert not set(before) & set(after)


SOURCE = """
from functools import cached_property, lru_cache, partial

import numpy as np

def helper(w): return 1 * w
def applied(f, w): return f(w)
def made(): return [lambda w: 1 * w]

class Inner:
    def hear(self, w): return 1 * w

class Outer:
    def __init__(self): self.inner = Inner()
    def __call__(self, w): return self.inner.hear(w)

class Cached:
    @cached_property
    def factor(self): return helper(1)
    def __call__(self, w): return self.factor * w

class Nested:
    class Inside:
        @staticmethod
        def hear(w): return 1 * w
    def __call__(self, w): return self.Inside.hear(w)

inner, table = Inner(), {"a": helper}
cached, vector = lru_cache(helper), np.vectorize(helper)
of_object = lambda w: inner.hear(w)
of_class = lambda w: Inner().hear(w)
of_table = lambda w: table["a"](w)
of_cached = lambda w: cached(w)
of_vector = lambda w: vector(w)
of_default = lambda w, f=helper: f(w)
of_list = (lambda given: lambda w: given[0](w))(made())
of_partial = partial(applied, helper)
of_inner, of_property, of_nested = Outer(), Cached(), Nested()
"""


def identities(source):
    module = ModuleType("toads_of_text")
    exec(source, vars(module))
    return {n: function_identity(f) for n, f in vars(module).items() if "of_" in n}


def test_whatever_a_function_comes_to_counts():
    before = identities(SOURCE)
    assert identities(SOURCE) == before
    after = identities(SOURCE.replace("1 * w", "2 * w"))
    assert [n for n in before if before[n] == after[n]] == []


def test_functions_of_one_name_are_counted_one_by_one():
    def chain(*functions):
        return lambda windows: [function(windows) for function in functions]

    one, two = of_factor(1), of_factor(2)
    assert identity(chain(one, two, one)) != identity(chain(one, two, two))


def test_functions_are_the_same_in_other_processes():
    code = (  # the file alone: with its room it takes seconds to import
        f"import runpy; names = runpy.run_path({_function_identity.__file__!r})\n"
        "identity = names['function_identity']\n"
        "print(identity(lambda w: w if w in {'a', 'b', 'c', 'd'} else 0))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in "123"
    }
    assert len(found) == 1


@pytest.mark.filterwarnings("error")
def test_names_that_mean_other_things_in_modules_are_let_be():
    def deprecated(windows):
        return np.abs(windows), windows.str

    assert identity(deprecated) == identity(deprecated)


def test_a_function_that_changed_since_it_was_pickled_is_another(monkeypatch):
    encoder = toy(scaled)
    pickled = pickle.dumps(encoder)
    assert pickle.loads(pickled).identity == encoder.identity
    monkeypatch.setitem(globals(), "FACTOR", 2.0)
    assert pickle.loads(pickled).identity == identity(scaled) != encoder.identity


def test_what_cannot_be_told_shares_no_cache():
    def generates(values=(n for n in "ab")):
        return values

    assert identity(generates) != identity(generates)


def test_a_cache_does_not_mix_up_functions(tmp_path, write_wav):
    path = write_wav("a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, RATE), RATE)
    options = {"cache_dir": tmp_path / "cache", "verbose": 0}
    one, two = (
        EmbeddingEncoder(toy(of_factor(f)), **options).fit_transform([path])
        for f in (1, 2)
    )
    np.testing.assert_allclose(2 * one, two, rtol=1e-6)


def test_functions_need_a_spec():
    with pytest.raises(ValueError, match=r"needs spec=EncoderSpec"):
        load_encoder(hear)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda windows: {"scores": hear(windows)["scores"]}, "without 'embedding'"),
        (lambda windows: {"embedding": windows[:, :24][:1]}, r"shape \(1, 24\) for 3"),
        (lambda windows: {"embedding": 5}, r"shape \(\) for 3 windows"),
        (lambda windows: windows[:, :24], "returned ndarray; it must return a dict"),
    ],
)
def test_what_a_function_returns_is_checked(function, message):
    with pytest.raises(ValueError, match=message):
        toy(function).run(np.ones((3, RATE)), ["embedding"])


def test_values_come_as_single_floats_whatever_they_were():
    def in_half(windows):
        return {role: v.astype(np.float16) for role, v in hear(windows).items()}

    values = toy(in_half).run(np.ones((2, RATE)))
    assert {v.dtype for v in values.values()} == {np.dtype(np.float32)}


def test_windows_must_be_as_long_as_the_model_wants():
    for windows in (np.ones(RATE), np.ones((2, RATE - 1)), np.ones((1, 2, RATE))):
        with pytest.raises(ValueError, match="1 s at 8000 Hz"):
            toy().run(windows)
    assert toy().run(np.ones((0, RATE)))["embedding"].shape == (0, 24)


def test_outputs_are_asked_for_by_their_roles():
    with pytest.raises(ValueError, match="output='spatial' is none of toy"):
        toy().run(np.ones((1, RATE)), ["spatial"])
    with pytest.raises(TypeError, match="must be a list"):
        toy().run(np.ones((1, RATE)), "scores")
    assert list(toy().run(np.ones((1, RATE)), ["scores"])) == ["scores"]


def test_copies_and_pickles_compute_the_same():
    encoder = toy()
    windows = np.random.default_rng(0).standard_normal((3, RATE)).astype(np.float32)
    expected = encoder.run(windows)
    estimator = clone(EmbeddingEncoder(encoder))
    assert estimator.encoder is encoder
    for other in (
        copy.copy(encoder),
        copy.deepcopy(encoder),
        pickle.loads(pickle.dumps(encoder)),
    ):
        assert other.class_names == NAMES
        for role, values in other.run(windows).items():
            np.testing.assert_array_equal(values, expected[role])


def test_another_spec_makes_another_encoder_of_the_same_model():
    encoder = toy()
    only = {"embedding": encoder.spec.outputs["embedding"]}
    other = encoder.with_spec(toy_spec(outputs=only, class_names=()))
    assert other.class_names == ()
    assert encoder.class_names == NAMES
    assert list(other.run(np.ones((1, RATE)))) == ["embedding"]
    scores = {"scores": EncoderOutput("scores", [7])}
    assert encoder.with_spec(toy_spec(outputs=scores, class_names=())).class_names == ()
    leveled = load_encoder(encoder, toy_spec(level="peak"))
    assert leveled.spec.level == "peak"
    assert load_encoder(encoder) is encoder


def test_outputs_over_time_are_kept_as_the_model_gives_them():
    outputs = {"frames": EncoderOutput("frames", [5, 2])}
    encoder = toy(
        lambda w: {"frames": np.ones((len(w), 5, 2))}, outputs=outputs, class_names=()
    )
    assert encoder.run(np.ones((3, RATE)))["frames"].shape == (3, 5, 2)


def test_probabilities_are_what_the_activation_makes():
    scores = np.array([[-5.0, 0.0, 5.0, 0.0]], np.float32)
    sigmoid = toy().probabilities(scores)
    np.testing.assert_allclose(sigmoid[0, 1:3], [0.5, 0.9933], atol=1e-4)
    assert toy(activation="softmax").probabilities(scores).sum() == pytest.approx(1)
    np.testing.assert_array_equal(toy(activation="none").probabilities(scores), scores)
