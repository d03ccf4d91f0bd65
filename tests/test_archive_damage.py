"""Archives: good rows of damaged recordings, and what is no file beside the parts."""

import os

import numpy as np
import pytest
import soundfile
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from skbird.archive import predict_archive
from skbird.archive._block_work import readable_proba
from skbird.archive._part_files import remove_run
from skbird.audio import AudioReadError
from skbird.data import Recordings, segment_table
from skbird.postprocessing import SoundscapeReweighter
from skbird.preprocessing import LogMel, Segmenter, SpectrogramStatistics
from skbird.utils.estimator_checks import LevelClassifier

pytest.importorskip("pyarrow")
RATE = 8000
SPECIES = ["cricket", "frog"]


class Level(BaseEstimator):
    """Two species whose probabilities follow the level; raises for unreadable rows."""

    species_ = SPECIES

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict_proba(self, X):
        level = np.array([np.abs(clip.samples).mean() for clip in Recordings(X)])
        return np.column_stack([level, level**2])


def write_flac(path, damage=()):
    """Write a minute of noise, and zeros over some places of the file."""
    rng = np.random.default_rng(0)
    soundfile.write(path, 0.1 * rng.standard_normal(60 * RATE), RATE)
    data = bytearray(path.read_bytes())
    for place in damage:
        first = int(place * len(data))
        data[first : first + 500] = bytes(500)
    path.write_bytes(data)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "nights"
    folder.mkdir()
    write_flac(folder / "good.flac")
    return folder


def run(model, folder, **options):
    options = {"out": folder.parent / "out", "verbose": 0} | options
    return predict_archive(model, folder, **options)


def good_rows(path):
    """Return the rows of a recording that can be read, each by itself."""
    rows = segment_table([path], 5.0)
    proba = [readable_proba(Level(), rows[n : n + 1], 2)[0] for n in range(len(rows))]
    return rows[~np.isnan(np.concatenate(proba)).all(axis=1)].reset_index(drop=True)


@pytest.mark.parametrize("damage", [[0.5], [0.02], [0.03, 0.5, 0.9]], ids=str)
@pytest.mark.parametrize("name", ["a.flac", "z.flac"])  # before or after the good one
def test_a_damaged_place_costs_only_the_rows_around_it(folder, name, damage):
    write_flac(folder / name, damage)
    good = good_rows(folder / name)
    assert 12 > len(good) >= 12 - 2 * len(damage)
    result = run(Level(), folder)
    read = result.read()
    own = read[read["path"] == str(folder / name)]
    assert own["start"].tolist() == good["start"].tolist()
    np.testing.assert_allclose(own[SPECIES], Level().predict_proba(good), rtol=1e-6)
    assert (read["path"] == str(folder / "good.flac")).sum() == 12
    n_bad = 12 - len(good)
    lost = f"{n_bad} of 12 rows {'is' if n_bad == 1 else 'are'} left out"
    assert lost in result.errors["error"].item()


@pytest.mark.parametrize("damage", [[0.5], [0.02, 0.15]], ids=str)
def test_a_recording_that_is_alone_and_damaged_is_predicted(folder, damage):
    write_flac(folder / "good.flac", damage)
    good = good_rows(folder / "good.flac")
    assert run(Level(), folder).n_rows == len(good)
    assert run(Level(), folder).n_rows == len(good)  # and its run goes on


@pytest.mark.slow
def test_a_pipeline_that_raises_loses_no_more_than_one_that_skips(folder):
    write_flac(folder / "damaged.flac", [0.5])
    found = {}
    for on_error in ("raise", "skip"):
        model = make_pipeline(
            Segmenter(5.0),
            LogMel(16, n_fft=512, on_error=on_error, verbose=0),
            SpectrogramStatistics(),
            LevelClassifier(random_state=0),
        ).fit([str(folder / "good.flac")] * 2, np.eye(2))
        found[on_error] = run(model, folder, out=folder.parent / on_error).read()
        assert model[1].on_error == on_error
    assert len(found["raise"]) == 22
    assert found["raise"].equals(found["skip"])


def test_good_rows_of_a_damaged_recording_are_reweighted_together(folder):
    write_flac(folder / "damaged.flac", [0.5])
    good = good_rows(folder / "damaged.flac")
    level = Level().fit(good, None)
    model = SoundscapeReweighter(FrozenEstimator(level)).fit(good[:2], np.eye(2))
    read = run(model, folder).read()
    read = read[read["path"].str.endswith("damaged.flac")]
    np.testing.assert_allclose(read[SPECIES], model.predict_proba(good), rtol=1e-6)


def test_rows_that_only_the_model_refuses_cost_no_other(folder):
    class Picky(Level):
        def predict_proba(self, X):
            if X["start"].isin([0, 25, 30]).any():
                raise AudioReadError("not this one")
            return super().predict_proba(X)

    rows = segment_table([folder / "good.flac"], 5.0)
    proba, reasons = readable_proba(Picky(), rows, 2)
    refused = np.flatnonzero(np.isnan(proba).all(axis=1))
    assert rows["start"][refused].tolist() == [0, 25, 30]
    assert list(reasons.values()) == ["not this one"]


needs_fifo = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")


@pytest.fixture(params=["pipe", "device", "folder"])
def replace_file(request):
    """Return a function that puts something else in the place of a file."""
    make = {
        "pipe": os.mkfifo,
        "device": lambda path: path.symlink_to("/dev/zero"),
        "folder": os.mkdir,
    }[request.param]

    def replace(path):
        path.unlink()
        make(path)
        return request.param

    return replace


@needs_fifo
def test_what_is_no_file_in_the_place_of_a_part_is_no_part(folder, replace_file):
    result = run(Level(), folder)
    expected, part = result.read(), result.parts[0]
    kind = replace_file(part)
    with pytest.raises(ValueError, match=rf"parquet is damaged \(.* is a {kind}, not"):
        result.read()
    if kind == "folder":
        part.rmdir()
        part.touch()
    with pytest.warns(UserWarning, match="1 finished part is damaged"):
        again = run(Level(), folder)
    assert again.read().equals(expected)


@needs_fifo
@pytest.mark.parametrize("name", ["_manifest.json", "_files.parquet"])
def test_what_is_no_file_in_the_place_of_a_plan_is_named(folder, name, replace_file):
    run(Level(), folder)
    kind = replace_file(folder.parent / "out" / name)
    with pytest.raises(ValueError, match=rf"{name} is damaged .* is a {kind}, not"):
        run(Level(), folder)


@needs_fifo
def test_pipes_among_the_parts_go_with_the_run(folder):
    out = folder.parent / "out"
    run(Level(), folder)
    for name in ("part-000007.parquet", f".part-000008.parquet.{'0' * 32}.tmp"):
        os.mkfifo(out / name)
    remove_run(out)
    assert list(out.iterdir()) == []
