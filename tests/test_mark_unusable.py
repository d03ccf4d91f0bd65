"""Recordings in which nothing can be heard."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from skbird.datasets import make_survey
from skbird.survey import effort, mark_unusable, recording_times

RATE = 8000


def noise(seconds, level=0.01):
    return level * np.random.default_rng(0).standard_normal(round(seconds * RATE))


def marked(folder, *sounds, **options):
    for number, sound in enumerate(sounds):
        soundfile.write(folder / f"20240501_{number:02}0000.wav", sound, RATE)
    times = recording_times(sorted(folder.iterdir()), "UTC", on_error="skip")
    return mark_unusable(times, verbose=0, **options)


def test_each_reason_is_told_and_counted(tmp_path):
    clipped = np.clip(noise(2, 1.0), -1, 1)
    rain = noise(2, 0.2)
    call = np.r_[noise(1), noise(1) + 0.5 * np.sin(np.arange(RATE))]
    sounds = call, 0.2 + noise(2, 1e-6), clipped, rain, noise(2)
    table = marked(tmp_path, *sounds)
    assert table["unusable_because"].tolist() == ["", "silent", "clipped", "noisy", ""]
    assert table["usable"].tolist() == [True, False, False, False, True]
    (day,) = effort(table).itertuples()
    assert (day.n_recordings, day.n_unusable) == (5, 3)
    assert (day.recorded_s, day.usable_s) == (10, 4)


def test_what_cannot_be_read_is_broken_and_what_was_said_stays(tmp_path):
    (tmp_path / "20240501_100000.wav").write_text("no sound")
    table = marked(tmp_path, noise(1), noise(1))
    assert table["unusable_because"].tolist() == ["", "", "broken"]
    table["usable"] = [True, False, False]
    again = mark_unusable(table, verbose=0)
    assert again["unusable_because"].tolist() == ["", "said so", "broken"]
    gone = table.assign(path="gone.wav", usable=True, duration_s=1.0)
    assert mark_unusable(gone, verbose=0)["unusable_because"].eq("broken").all()


def test_long_recordings_are_heard_from_beginning_to_end(tmp_path):
    silent_but_for_the_end = np.r_[np.zeros(90 * RATE), noise(10)]
    table = marked(tmp_path, silent_but_for_the_end, noise(0.001))
    assert table["usable"].all()


def test_limits_can_be_set(tmp_path):
    assert marked(tmp_path, noise(1), silent_dbfs=-30)["usable"].tolist() == [False]
    for name, value in (
        ("silent_dbfs", 3.0),
        ("clipped_share", 0.0),
        ("noise_dbfs", np.nan),
    ):
        with pytest.raises(ValueError, match=f"'{name}' parameter of mark_unusable"):
            marked(tmp_path, **{name: value})


def test_no_recordings_are_none_unusable():
    times = recording_times(pd.DataFrame({"path": [], "duration_s": []}), "UTC")
    assert len(mark_unusable(times, verbose=0)) == 0


def test_silent_recordings_of_a_survey_are_found(tmp_path):
    data = make_survey(
        tmp_path / "survey",
        n_sites=1,
        n_weeks=2,
        n_species=2,
        recordings_per_day=2,
        recording_s=5.0,
        unusable_share=0.2,
    )
    times = recording_times(data.recordings["path"], "Europe/Madrid")
    table = mark_unusable(times, verbose=0)
    assert table["usable"].tolist() == data.recordings["usable"].tolist()
    assert 0 < (~table["usable"]).sum() < len(table)
