import io
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
from sklearn.model_selection import GroupKFold, KFold
from sklearn.neighbors import KNeighborsClassifier

from skbird.audio._fingerprint import (
    _candidates,
    find_near_duplicates,
    fingerprint,
)
from skbird.data import Recordings
from skbird.ensemble import FoldEnsemble
from skbird.model_selection import (
    LeakageWarning,
    check_leaks,
    cross_val_report,
    find_leaks,
    fold_report,
    leak_groups,
)

RATE = 16_000
TABLE_ONLY = {"identical": False}
PATHS_ONLY = {"author": None, "identical": False}


def forest(seed, seconds=8, rate=RATE):
    """Six notes a second in noise: much to recognise, and no silence."""
    rng = np.random.default_rng(seed)
    sound = 0.02 * rng.standard_normal(round(seconds * rate))
    t = np.arange(rate // 2) / rate
    for _ in range(6 * round(seconds)):
        note = 0.1 * np.sin(2 * np.pi * rng.uniform(400, 6000) * t) * np.hanning(len(t))
        start = rng.integers(max(1, len(sound) - len(t)))
        sound[start : start + len(t)] += note[: len(sound) - start]
    return sound.astype(np.float32)


def compress(samples, rate, format="OGG", subtype="VORBIS"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=format, subtype=subtype)
    file.seek(0)
    return soundfile.read(file, dtype="float32")


def pairs(leaks, kind):
    rows = leaks[leaks["kind"] == kind]
    return list(zip(rows["train_row"], rows["test_row"], strict=True))


def test_stretches_of_a_file_are_rows_of_that_file():
    X = pd.DataFrame(
        {"path": ["a", "a", "b", "a", "c"], "start": [0, 5, 0, 2, 0], "end": 9.0}
    )
    leaks = find_leaks(X, [0, 1, 2], [3, 4], **PATHS_ONLY)
    assert leaks.to_dict("records") == [
        {
            "kind": "file",
            "test_row": 3,
            "train_row": 0,
            "n_train_rows": 2,
            "shared": "a",
        }
    ]


def test_a_file_has_many_spellings():
    X = ["x/a.ogg", Path("x/../x/a.ogg"), os.path.abspath("x/a.ogg"), "a.ogg"]
    leaks = find_leaks(X, [0], [1, 2, 3], **PATHS_ONLY)
    assert pairs(leaks, "file") == [(0, 1), (0, 2)]


def test_one_line_per_test_row_however_many_rows_there_are():
    X = np.repeat(["a", "b"], 1000)
    leaks = find_leaks(X, np.arange(0, 2000, 2), np.arange(1, 2000, 2), **PATHS_ONLY)
    assert len(leaks) == 1000
    assert (leaks["n_train_rows"] == 500).all()


def test_sides_may_be_masks_or_empty():
    X = ["a", "b", "a"]
    mask = np.array([True, True, False])
    leaks = find_leaks(X, mask, ~mask, **PATHS_ONLY)
    assert pairs(leaks, "file") == [(0, 2)]
    assert find_leaks(X, [0, 1], [], **PATHS_ONLY).empty
    assert find_leaks(X, [], [0, 1], **PATHS_ONLY).empty


def test_a_row_on_both_sides_is_found():
    leaks = find_leaks(["a", "b"], [0, 1], [1], **PATHS_ONLY)
    assert pairs(leaks, "file") == [(1, 1)]


@pytest.mark.parametrize(
    ("author", "date", "leaks"),
    [
        ("ann", "2021-05-03", True),
        ("ann ", "2021-05-03 23:59", True),
        ("ann", "2021-05-03T06:10:00", True),
        ("ann", "3 May 2021", True),
        ("ann", "2021-05-04", False),
        ("ben", "2021-05-03", False),
        ("ann", "2021-05-00", False),
        ("ann", "2021", False),
        ("ann", None, False),
        (None, "2021-05-03", False),
        ("", "2021-05-03", False),
    ],
)
def test_the_same_author_on_the_same_day(author, date, leaks):
    X = pd.DataFrame({"path": ["1", "2"], "by": [author, "ann"]})
    X["on"] = [date, "2021-05-03"]
    found = find_leaks(X, [0], [1], author="by", date="on", **TABLE_ONLY)
    assert pairs(found, "author_day") == ([(0, 1)] if leaks else [])
    if leaks:
        assert found["shared"].tolist() == ["ann, 2021-05-03"]


@pytest.mark.parametrize("unknown", ["", None, "2021"])
def test_unknown_authors_and_days_share_nothing(unknown):
    X = pd.DataFrame({"path": ["1", "2"], "author": "ann", "date": unknown})
    assert find_leaks(X, [0], [1], **TABLE_ONLY).empty
    X = pd.DataFrame({"path": ["1", "2"], "author": unknown, "date": "2021-05-03"})
    assert find_leaks(X, [0], [1], **TABLE_ONLY).empty == (unknown != "2021")


def test_timestamps_are_dates_too():
    X = pd.DataFrame({"path": ["1", "2", "3"], "author": "ann"})
    X["date"] = pd.to_datetime(["2021-05-03 04:00", "2021-05-03 19:00", None])
    assert pairs(find_leaks(X, [0], [1, 2], **TABLE_ONLY), "author_day") == [(0, 1)]


def test_what_the_file_explains_is_not_listed_as_author_and_day():
    X = pd.DataFrame(
        {"path": ["1", "1", "2", "1"], "author": "ann", "date": "2021-05-03"}
    )
    leaks = find_leaks(X, [0, 1, 2], [3], **TABLE_ONLY)
    assert pairs(leaks, "file") == [(0, 3)]
    assert pairs(leaks, "author_day") == [(2, 3)]
    assert leaks["n_train_rows"].tolist() == [2, 1]


def test_a_table_without_paths_tells_of_authors():
    X = pd.DataFrame({"author": ["ann", "ann"], "date": "2021-05-03"})
    assert pairs(find_leaks(X, [0], [1]), "author_day") == [(0, 1)]


def test_recordings_know_their_table():
    X = Recordings(
        pd.DataFrame({"path": ["1", "2"], "author": "a", "date": "1.5.2021"})
    )
    assert len(find_leaks(X, [0], [1], **TABLE_ONLY)) == 1


def test_identical_files_are_found_under_any_name(write_wav, tmp_path):
    a, b, c = (write_wav(f"{i}.wav", forest(i, 1)) for i in range(3))
    copy = str(tmp_path / "copy.wav")
    shutil.copy(a, copy)
    X = [a, a, b, copy, c, a]
    leaks = find_leaks(X, [0, 1, 2], [3, 4, 5], author=None)
    assert pairs(leaks, "identical") == [(0, 3)]
    assert pairs(leaks, "file") == [(0, 5)]
    assert leaks["n_train_rows"].tolist() == [2, 2]
    assert leaks["shared"].tolist() == [a, a]


def test_missing_files_are_counted_and_the_others_compared(write_wav, tmp_path):
    a = write_wav("a.wav", forest(0, 1))
    copy = str(tmp_path / "copy.wav")
    shutil.copy(a, copy)
    X = [a, "gone.wav", copy, "gone too.wav"]
    with pytest.warns(UserWarning, match=r"2 of 4 files are missing or.*'gone.wav'"):
        leaks = find_leaks(X, [0, 1], [2, 3], author=None, near_duplicates=True)
    assert pairs(leaks, "identical") == [(0, 2)]
    assert len(leaks) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_is_no_file_is_not_waited_for(write_wav, tmp_path):
    paths = [tmp_path / name for name in ("a.wav", "b.wav", "c.wav", "d.wav")]
    for path in paths[:2]:
        path.mkdir()
    for path in paths[2:]:
        os.mkfifo(path)
    X = [*map(str, paths), write_wav("e.wav", forest(0, 1))]
    with pytest.warns(UserWarning, match="4 of 5 files are missing or cannot be"):
        leaks = find_leaks(X, [0, 2], [1, 3, 4], author=None, near_duplicates=True)
    assert len(leaks) == 0


def test_files_that_may_not_be_opened_are_copies_of_nothing(write_wav, monkeypatch):
    a = write_wav("a.wav", forest(0, 1))
    X = [a, shutil.copy(a, f"{a}.b.wav"), shutil.copy(a, f"{a}.c.wav")]

    def refuse(path, *args, open=open):
        if path == X[0]:
            raise PermissionError(13, "Permission denied", path)
        return open(path, *args)

    monkeypatch.setattr("skbird.model_selection._leak_keys.open", refuse, raising=False)
    with pytest.warns(UserWarning, match="1 of 3 files is missing or cannot be read"):
        leaks = find_leaks(X, [0, 1], [2], author=None)
    assert pairs(leaks, "identical") == [(1, 2)]
    assert leaks["n_train_rows"].tolist() == [1]


def test_what_never_ends_is_not_compared(write_wav, tmp_path):
    a = write_wav("a.wav", forest(0, 1))
    shutil.copy(a, tmp_path / "copy.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    (tmp_path / "empty.wav").touch()
    X = [str(tmp_path / f"{n}.wav") for n in ("a", "pipe", "zero", "copy", "empty")]
    with pytest.warns(UserWarning, match=r"2 of 5 files are missing or.*pipe.wav"):
        leaks = find_leaks(X, [0, 1, 2], [3, 4], author=None)
    assert pairs(leaks, "identical") == [(0, 3)]


@pytest.mark.parametrize(
    "change",
    [
        lambda x: (0.2 * x, RATE),
        lambda x: (x[round(1.2345 * RATE) :], RATE),
        lambda x: (np.r_[forest(99, 2), x], RATE),
        lambda x: (soxr.resample(x, RATE, 22_050), 22_050),
        lambda x: (np.diff(x, prepend=0), RATE),
        lambda x: compress(x, RATE),
        lambda x: compress(x, RATE, "MP3", "MPEG_LAYER_III"),
    ],
    ids=["quieter", "cut", "longer", "resampled", "filtered", "ogg", "mp3"],
)
def test_the_same_sound_is_recognised_when_it_is(change):
    original = fingerprint(forest(0), RATE)
    copy = fingerprint(*change(forest(0)))
    others = [fingerprint(forest(seed), RATE) for seed in (1, 2)]
    found = find_near_duplicates([others[0], copy, others[1], original])
    assert found.tolist() == [[1, 3]]


def test_different_sounds_are_no_duplicates():
    sounds = [forest(seed) for seed in range(25)]
    # Two seconds in common make the files worth a look, not more.
    sounds[1][3 * RATE : 5 * RATE] = sounds[0][3 * RATE : 5 * RATE]
    fingerprints = [fingerprint(sound, RATE) for sound in sounds]
    assert _candidates(fingerprints)[0].tolist() == [0, 1, 0]
    assert find_near_duplicates(fingerprints).shape == (0, 2)


def test_silence_is_no_common_sound():
    silent = np.zeros(8 * RATE, np.float32)
    clicks = [silent.copy() for _ in range(2)]
    for i, click in enumerate(clicks):
        click[RATE : 2 * RATE] = forest(i, 1)
    fingerprints = [fingerprint(x, RATE) for x in (silent, silent, *clicks)]
    assert not fingerprints[0].any()
    assert len(find_near_duplicates(fingerprints)) == 0
    # One second of sound and seven of silence are too little to tell.
    assert len(find_near_duplicates([fingerprints[2]] * 2)) == 0
    assert len(_candidates(fingerprints[:2])) == 0


def test_sounds_too_short_are_not_compared():
    for seconds in (0, 0.1, 2.5):
        short = fingerprint(forest(0, seconds), RATE)
        assert len(find_near_duplicates([short, short])) == 0
    assert find_near_duplicates([]).shape == (0, 2)


def test_a_filter_changes_a_fingerprint_by_few_bits():
    words = fingerprint(forest(0), RATE)
    steep = fingerprint(np.diff(forest(0), n=2), RATE)  # 12 dB per octave
    n_words = min(len(words), len(steep))
    differing = np.unpackbits((words[:n_words] ^ steep[:n_words]).view(np.uint8))
    assert differing.sum() < 0.04 * 24 * n_words


def test_many_copies_are_linked_with_each_other():
    words = fingerprint(forest(0, 4), RATE)
    found = find_near_duplicates([words] * 60)
    assert set(found.ravel()) == set(range(60))


def test_near_duplicates_in_files(write_wav, tmp_path):
    X = [
        write_wav("original.wav", forest(0)),
        write_wav("other.wav", forest(1)),
        write_wav("quiet.wav", 0.5 * forest(0)),
        str(tmp_path / "copy.wav"),
    ]
    shutil.copy(X[0], X[3])
    options = {"author": None, "near_duplicates": True}
    leaks = find_leaks(X, [0, 1], [2, 3], **options, n_jobs=2)
    assert pairs(leaks, "near_duplicate") == [(0, 2)]
    assert pairs(leaks, "identical") == [(0, 3)]
    assert pairs(find_leaks(X, [0, 1], [2, 3], author=None), "near_duplicate") == []
    assert leak_groups(X, **options).tolist() == [0, 1, 0, 0]
    assert leak_groups(X, author=None).tolist() == [0, 1, 2, 0]


def test_folds_are_checked_and_leaks_announced():
    X = pd.DataFrame({"path": list("abab")})
    with pytest.warns(
        LeakageWarning, match=r"a file \(4 rows in 2 folds, such as 'a'\).*leak_groups"
    ) as caught:
        leaks = check_leaks(X, KFold(2).split(X), **PATHS_ONLY)
    assert caught[0].filename == __file__
    assert leaks["fold"].tolist() == [0, 0, 1, 1]
    assert leaks["test_row"].tolist() == [0, 1, 2, 3]
    assert leaks["train_row"].tolist() == [2, 3, 0, 1]


def test_groups_of_leaks_leave_none():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "path": rng.integers(40, size=100).astype(str),
            "author": rng.choice(["ann", "ben", "cat", None], 100),
            "date": rng.choice(pd.date_range("2021-05-01", periods=40), 100),
        }
    )
    groups = leak_groups(X, **TABLE_ONLY)
    assert len(set(groups)) > 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folds = list(GroupKFold(3).split(X, groups=groups))
        assert check_leaks(X, folds, **TABLE_ONLY).empty
    with pytest.warns(LeakageWarning, match="a file .*author and day"):
        assert len(check_leaks(X, KFold(3).split(X), **TABLE_ONLY))


def test_groups_without_anything_to_share_are_single_rows():
    assert leak_groups(list("abc"), **PATHS_ONLY).tolist() == [0, 1, 2]


def test_what_cannot_be_checked_is_said():
    X = pd.DataFrame({"path": ["a", "b"], "author": "ann"})
    with pytest.warns(UserWarning, match="X has no column 'date'") as caught:
        find_leaks(X, [0], [1], **TABLE_ONLY)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="no column 'by' or 'date'"):
        leak_groups(X, author="by", **TABLE_ONLY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        find_leaks(X, [0], [1], **PATHS_ONLY)


def test_a_missing_path_is_shared_with_nothing(write_wav):
    path = write_wav("a.wav", forest(0, 1))
    X = pd.DataFrame({"path": [path, None, None, path]})
    options = {"author": None, "near_duplicates": True}
    leaks = find_leaks(X, [0, 1], [2, 3], **options)
    assert leaks["kind"].tolist() == ["file"]
    assert pairs(leaks, "file") == [(0, 3)]
    assert leak_groups(X, **options).tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.eye(2), "has no row table: nothing can be checked"),
        (pd.DataFrame({"author": ["a", "b"]}), r"has the columns \['author'\]"),
    ],
)
def test_rows_that_tell_nothing_are_an_error(X, message):
    with pytest.raises(ValueError, match=message):
        find_leaks(X, [0], [1])


def test_no_folds_are_an_error():
    with pytest.raises(ValueError, match="folds is empty"):
        check_leaks(["a"], [], **PATHS_ONLY)


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (
            KFold(2),
            r"folds=KFold\(.*the folds themselves are needed. Pass cv.split",
        ),
        (5, "folds=5 makes folds, or counts them"),
        (
            (np.arange(3), np.arange(3, 4)),
            r"at place 0 .*is \[\(train, test\)\]",
        ),
        ([0, 1, 1, 0], "has int at place 0 where a pair"),
    ],
)
def test_what_is_no_list_of_folds_is_said(folds, message):
    X = pd.DataFrame({"path": list("abab")})
    with pytest.raises(TypeError, match=message):
        check_leaks(X, folds, **PATHS_ONLY)
    with pytest.raises(TypeError, match=message):
        fold_report(np.eye(4), folds)
    if not isinstance(folds, (KFold, int)):  # which are a cv
        message = message.replace("folds=", "cv=")
        with pytest.raises(TypeError, match=f"^cv.*{message}"):
            cross_val_report(KNeighborsClassifier(), np.eye(4), np.eye(4), cv=folds)
        with pytest.raises(TypeError, match=f"^cv.*{message}"):
            FoldEnsemble(KNeighborsClassifier(), cv=folds).fit(np.eye(4), np.eye(4))


def test_misspelt_options_are_named():
    message = r"{}\(\) got an unexpected .* 'autor'; did you mean author\?"
    with pytest.raises(TypeError, match=message.format("check_leaks")):
        check_leaks(["a"], KFold(2), autor="by")
    with pytest.raises(TypeError, match=message.format("leak_groups")):
        leak_groups(["a"], autor="by")
    with pytest.raises(TypeError, match=r"argument 'qqq'\.$"):
        leak_groups(["a"], qqq=1)


def test_authors_alone_are_compared_without_a_date():
    X = pd.DataFrame({"path": list("abcda"), "by": ["ann", " ann", None, "", "ben"]})
    options = {"author": "by", "date": None, **TABLE_ONLY}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        leaks = find_leaks(X, [0, 2], [1, 3, 4], **options)
    assert pairs(leaks, "author") == [(0, 1)]
    assert pairs(leaks, "file") == [(0, 4)]
    assert leaks.set_index("kind")["shared"].to_dict() == {"author": "ann", "file": "a"}
    # Row 4 joins by its file; nobody knows who recorded rows 2 and 3.
    assert leak_groups(X, **options).tolist() == [0, 0, 1, 2, 0]
    folds = [([0], [1])]
    with pytest.warns(
        LeakageWarning,
        match=r"an author \(1 row in 1 fold,.*groups=leak_groups\(X, date=None\)",
    ):
        check_leaks(X, folds, **options)
    with pytest.warns(UserWarning, match="the column by author=, or pass author=N"):
        find_leaks(X, [0], [1], date=None, **TABLE_ONLY)
    with pytest.warns(UserWarning, match=r"date=, or pass date=None to .* alone, or a"):
        find_leaks(X, [0], [1], author="by", **TABLE_ONLY)


def test_dates_that_tell_no_day_are_counted():
    X = pd.DataFrame({"path": list("abcde"), "by": ["ann"] * 4 + [None]})
    X["on"] = ["2021-05-03", "2021-05", "2021-13-45", None, "someday"]
    options = {"author": "by", "date": "on", **TABLE_ONLY}
    with pytest.warns(
        UserWarning, match="2 of 3 dates in column 'on' tell no day, such as '2021-05'"
    ) as caught:
        leak_groups(X, **options)
    assert caught[0].filename == __file__
    X["on"] = ["2021-05-03", "1.2.2021", "3 May 2021", None, "someday"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        leak_groups(X, **options)
