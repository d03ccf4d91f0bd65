import html.parser
import re

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile
from matplotlib.figure import Figure

from skbird.inspection._figures import clean_text, plain_text
from skbird.reports import _clips
from skbird.reports._clips import Cut, as_content, make_clips
from skbird.reports._describe_errors import describe_errors
from skbird.reports._describe_recordings import describe_recordings
from skbird.reports._markup import Markup, element
from skbird.reports._plots import finish, new_axes
from skbird.reports._scan import choose_decoded, measure

RATE = 16_000
EVIL = [
    "<img src=x onerror=alert(1)>",
    '"onmouseover="alert(1)',
    "</script><script>alert(1)</script>",
    "$\\frac{$ & 'x' \x00\n",
    "café",
]


class Tags(html.parser.HTMLParser):
    """The elements and attributes of a page, as a browser would find them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.scripts = [], set(), 0
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)
        self.scripts += tag == "script" and dict(attrs).get("type") is None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(0)

    def write(name, samples, rate=RATE):
        soundfile.write(folder / name, samples, rate)

    noise = 0.01 * rng.standard_normal(5 * RATE)
    song = noise + 0.3 * np.sin(np.arange(5 * RATE) * 0.8) * (
        np.arange(5 * RATE) % 8000 < 1000
    )
    write("song.wav", song)
    write("copy.wav", song)
    write("softer.flac", 0.3 * song)
    write("noise.wav", noise[: RATE // 2])
    write("clipped.wav", np.clip(9 * song, -1, 1))
    write("silent.wav", np.zeros(2 * RATE))
    (folder / "broken.ogg").write_bytes(b"no sound")
    return folder


@pytest.fixture
def table(folder):
    return make_table(folder)


def make_table(folder):
    names = "song copy softer noise clipped silent".split()
    paths = [
        *(next(folder.glob(f"{name}.*")) for name in names),
        folder / "broken.ogg",
        folder / "<b>gone</b>.wav",
    ]
    return pd.DataFrame(
        {
            "path": paths,
            "collection": ["XC"] * 4 + ["iNat"] * 4,
            "primary_label": [*EVIL[:3], EVIL[0], EVIL[3], "owl", "owl", EVIL[4]],
            "secondary_labels": ["['owl']", "[]", "", None, "owl", "", "", ""],
            "author": ["ann", "ann", "ben", "cat", "dan", None, "eve", "eve"],
            "rating": [5, 4, 3, "?", 2, 1, None, 0],
            "latitude": [1.0, 2, 3, None, 5, 6, 7, 8],
            "longitude": [1.0, 2, 3, 4, 5, 6, 7, 8],
        }
    )


@pytest.fixture(scope="module")
def recordings(folder):
    return describe_recordings(make_table(folder), verbose=0, n_jobs=1, clip_s=1.0)


@pytest.mark.slow
def test_each_file_has_a_line_and_bad_ones_cost_the_others_nothing(recordings, table):
    files = recordings.tables["recordings"].set_index("path")
    assert len(files) == len(table)
    assert files["error"].ne("").sum() == 2
    assert len(recordings.tables["unreadable"]) == 2
    named = {path.rpartition("/")[2]: text for path, text in files["problems"].items()}
    assert "clipped" in named["clipped.wav"]
    assert "near-silent" in named["silent.wav"]
    assert "short" in named["noise.wav"]
    assert named["song.wav"] == ""
    assert named["broken.ogg"] == "unreadable"
    findings = recordings.tables["findings"].set_index("finding")["number"]
    assert findings["unreadable"] == 2
    assert findings["near-silent"] == 1


def test_channels_that_cancel_are_not_called_silent(tmp_path):
    sound = 0.1 * np.random.default_rng(0).standard_normal(RATE)
    for name, other in (("opposite", -sound), ("alike", sound)):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, np.column_stack([sound, other]), RATE)
    X = pd.DataFrame({"path": sorted(map(str, tmp_path.glob("*.wav")))})
    tables = describe_recordings(X, n_clips=0, verbose=0).tables
    assert tables["recordings"]["quiet_mean"].tolist() == [False, True]
    opposite = tables["recordings"]["problems"][1]
    assert "quiet mean of channels" in opposite
    assert "near-silent" not in opposite
    findings = tables["findings"].set_index("finding")
    assert findings.loc["quiet mean of channels", "number"] == 1
    assert "`skbird train --channels`" in findings["meaning"]["quiet mean of channels"]
    # What the table says of channels is what is heard.
    heard = describe_recordings(X.assign(channels="loudest"), n_clips=0, verbose=0)
    assert not heard.tables["recordings"]["quiet_mean"].any()
    assert (heard.tables["recordings"]["level_dbfs"] > -21).all()


@pytest.mark.slow
def test_copies_are_found_by_bytes_and_by_sound(recordings):
    copies = recordings.tables["duplicates"]
    kinds = {
        path.rpartition("/")[2]: kind
        for path, kind in zip(copies["path"], copies["kind"], strict=True)
    }
    assert kinds["song.wav"] == kinds["copy.wav"] == "same bytes"
    assert kinds["softer.flac"] == "same sound"
    assert copies["labels_differ"].all()
    assert copies["group"].nunique() == 1


@pytest.mark.slow
def test_species_are_counted_over_primary_and_secondary_labels(recordings):
    species = recordings.tables["species"].set_index("species")
    assert species.loc["owl", "rows"] == 4
    assert species.loc["owl", "as_primary"] == 2
    assert species.loc[EVIL[0], "authors"] == 2
    pairs = recordings.tables["together"]
    owl = (pairs["species"] == "owl") | (pairs["with"] == "owl")
    assert len(pairs) == owl.sum() == 2


def test_levels_are_those_of_the_samples():
    rng = np.random.default_rng(0)
    samples = 0.1 * rng.standard_normal(10 * RATE).astype(np.float32) + 0.2
    found = measure(samples, RATE)
    assert found["level_dbfs"] == pytest.approx(-20, abs=0.1)
    assert found["noise_dbfs"] == pytest.approx(-20, abs=1)
    assert found["contrast_db"] < 2
    assert found["clipped"] == 0
    samples[1000:9000] = 1
    assert measure(samples, RATE)["clipped"] == 0.05


def test_collections_share_what_is_decoded():
    groups = pd.Series(["XC"] * 90 + ["CSA"] * 10)
    decoded = choose_decoded(groups, 30, np.random.RandomState(0))
    assert groups[decoded].value_counts().to_dict() == {"XC": 20, "CSA": 10}
    assert choose_decoded(groups, None, None).all()


@pytest.mark.slow
@pytest.mark.usefixtures("blank_pictures")
def test_what_is_not_decoded_is_not_measured(table):
    report = describe_recordings(table, max_decoded=0, n_clips=0, verbose=0)
    files = report.tables["recordings"]
    assert files["level_dbfs"].isna().all()
    assert files["duration_s"].notna().sum() == 6
    # The same bytes are found among all files.
    assert set(report.tables["duplicates"]["kind"]) == {"same bytes"}


def test_paths_alone_suffice(folder, tmp_path):
    report = describe_recordings([folder / "song.wav"], verbose=0)
    assert "species" not in report.tables
    assert report.to_html(tmp_path / "page.html").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("blank_pictures")
def test_targets_may_be_given(table):
    Y = np.zeros((len(table), 2))
    Y[:3, 1] = 0.7
    species = describe_recordings(table, Y, max_decoded=0, verbose=0)
    species = species.tables["species"].set_index("species")["rows"]
    assert species.to_dict() == {1: 3, 0: 0}
    with pytest.raises(ValueError, match="Y has 2 rows and X 8"):
        describe_recordings(table, Y[:2])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"max_decoded": -1}, "max_decoded=-1 must be a whole number"),
        ({"n_clips": 1.5}, "n_clips=1.5 must be"),
        ({"clip_s": 0}, "clip_s=0 must be above 0"),
    ],
)
def test_options_are_checked(table, option, message):
    with pytest.raises(ValueError, match=message):
        describe_recordings(table, **option)


@pytest.fixture
def predictions(table):
    rng = np.random.default_rng(1)
    Y = pd.get_dummies(table["primary_label"]).astype(float)
    proba = (Y * 0.5 + 0.5 * rng.random(Y.shape)).clip(0, 1)
    proba.iloc[0] = 1 - proba.iloc[0]
    proba.iloc[7] = np.nan
    Y.iloc[4, 0] = np.nan
    Y.iloc[5] = -1
    return Y, proba


@pytest.mark.slow
@pytest.mark.usefixtures("blank_pictures")
def test_errors_are_clips_tables_and_pictures(table, predictions):
    seen = []

    def explain(row, species):
        seen.append((row, species))
        return np.random.default_rng(0).random((8, 12))

    table["type"] = ["song", "call, song", None, "x", "", "y", "z", "z"]
    table["start"], table["end"] = [0, 1, 0, 0, 1, 0, 0, 0], np.nan
    report = describe_errors(
        table,
        *predictions,
        train_predictions=(predictions[0], predictions[0].clip(0, 1).fillna(0)),
        explain=explain,
        verbose=0,
        clip_s=1.0,
    )
    errors = report.tables["errors"]
    assert (errors["row"] != 5).all()
    assert (errors["row"] != 7).all()
    assert seen
    assert set(seen) <= set(zip(errors["row"], errors["species"], strict=True))
    assert {"call_types", "memory", "over_time", "sound"} <= set(report.tables)
    tags = report.tables["call_types"].set_index(["species", "call_type"])
    assert tags.loc[(EVIL[1], "call"), "rows"] == 1
    assert (report.tables["memory"]["recall_in_training"].dropna() == 1).all()
    assert {"auc_support", "thresholds", "confusion_map"} <= set(report.figures)


@pytest.mark.slow
@pytest.mark.usefixtures("blank_pictures")
def test_the_worst_errors_of_each_species_are_shown(folder):
    n = 30
    X = [folder / "song.wav"] * n
    Y = np.zeros((n, 2))
    Y[0, 1] = 1  # so that the species can be judged
    proba = np.full((n, 2), 0.1)
    proba[:, 0] = np.linspace(0.6, 0.9, n)
    report = describe_errors(X, Y, proba, max_per_species=2, verbose=0)
    clips = report.sections[2].parts[0].clips
    assert [clip.kind for clip in clips] == ["false positive"] * 2 + ["false negative"]
    assert clips[0].numbers["score"] == 0.9
    assert clips[0].audio
    assert clips[0].image


@pytest.mark.slow
@pytest.mark.usefixtures("blank_pictures")
def test_errors_without_files_have_no_clips(tmp_path):
    rng = np.random.default_rng(0)
    Y, proba = rng.integers(0, 2, (20, 1)), rng.random((20, 1))
    for X in (None, rng.random((20, 3))):
        report = describe_errors(X, Y, proba)
        assert list(report.tables) == ["species", "errors"]
        report.to_html(tmp_path / "page.html")
    with pytest.raises(ValueError, match="X has 3 rows and y_true 20"):
        describe_errors(["a", "b", "c"], Y, proba)


@pytest.mark.usefixtures("blank_pictures")
def test_precision_is_averaged_over_the_species_that_are_judged(tmp_path):
    Y = pd.DataFrame({"owl": np.arange(20) % 2, "everywhere": 1})
    proba = np.random.default_rng(0).random((20, 2))
    pages = []
    for species in (["owl", "everywhere"], ["owl"]):
        report = describe_errors(None, Y[species], proba[:, : len(species)])
        report.to_html(tmp_path / "page.html")
        pages.append((tmp_path / "page.html").read_text())
    pattern = re.compile(r"macro average precision\W.*?(0\.\d+)", re.DOTALL)
    both, owl = (pattern.search(page)[1] for page in pages)
    assert both == owl


@pytest.mark.slow
@pytest.mark.usefixtures("blank_pictures")
def test_errors_are_heard_as_the_table_says(tmp_path, monkeypatch):
    sound = 0.5 * np.random.default_rng(0).standard_normal(32_000).clip(-1, 1)
    paths = [str(tmp_path / f"{number}.wav") for number in range(2)]
    for path in paths:
        soundfile.write(path, np.column_stack([sound, -sound]), 32_000)
    X = pd.DataFrame({"path": paths, "channels": ["loudest", "1"]})
    heard = []

    def listen(samples, encode=_clips.encode_audio):
        heard.append(np.abs(samples).max())
        return encode(samples)

    monkeypatch.setattr(_clips, "encode_audio", listen)
    y_score = np.array([[0.9, 0.1], [0.2, 0.8]])
    report = describe_errors(X, np.eye(2)[::-1], y_score, n_jobs=1, verbose=False)
    assert report.tables["sound"]["level_dbfs"].between(-10, 0).all()
    assert len(heard) == 4
    assert min(heard) > 0.5


def test_a_pair_is_confused_more_than_usual():
    from skbird.reports._error_tables import confusions
    from skbird.utils._truth import validate_scores

    Y = np.repeat(np.eye(3), 10, axis=0)
    proba = Y.copy()
    proba[:5, 1] = 1  # half of species 0 sounds like 1
    truth, score = validate_scores(Y, proba)
    _, table = confusions(truth, score, np.array(0.5), list("abc"))
    assert len(table) == 1
    assert table.iloc[0].to_dict() == {
        "species": "a",
        "taken_for": "b",
        "share": 0.5,
        "rows": 10,
        "usual": 0.25,
        "excess": 0.25,
    }


@pytest.mark.slow
def test_names_stay_text(recordings, table, predictions, tmp_path):
    errors = describe_errors(table, *predictions, title=EVIL[2], verbose=0, clip_s=1.0)
    for report in (recordings, errors):
        page = report.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
        tags = Tags(page)
        assert tags.scripts == 1
        assert not {name for name in tags.attributes if name.startswith("on")}
        assert tags.tags.count("h1") == 1
        assert "b" not in tags.tags
        assert "&lt;img src=x onerror=alert(1)&gt;" in page
        assert "<img src=x" not in page
        # Nothing is loaded from anywhere.
        assert not re.search(r"(src|href)=\"(?!data:|#)", page)
        assert "default-src 'none'" in page


def test_bytes_that_are_no_text_are_shown_as_such():
    assert clean_text("b\udcff\x00.wav") == "b\ufffd\ufffd.wav"
    assert clean_text("Merle\u00a0noir, 鶯") == "Merle\u00a0noir, 鶯"
    assert plain_text("$" * 40) == r"\$" * 27 + "…"


def test_attributes_are_escaped():
    made = element("p", EVIL[0], title='"><script>', data_x="a&b", hidden=True)
    assert made == (
        "<p title=&quot;&gt;&lt;script&gt;".replace("=&quot;", '="&quot;')
        + '" data-x="a&amp;b" hidden>&lt;img src=x onerror=alert(1)&gt;</p>'
    )
    assert element("td", Markup("<b>x</b>"), title=None) == "<td><b>x</b></td>"


@pytest.mark.slow
def test_pages_are_the_same_bytes_each_time(recordings, table, tmp_path):
    again = describe_recordings(table, verbose=0, clip_s=1.0, n_jobs=2)
    pages = [
        report.to_html(tmp_path / f"{number}.html").read_bytes()
        for number, report in enumerate([recordings, again])
    ]
    assert pages[0] == pages[1]


@pytest.mark.parametrize("setting", ["autolayout", "constrained_layout.use"])
def test_figures_are_laid_out_once_whatever_the_settings_of_matplotlib(setting):
    def svg():
        axis = new_axes()
        axis.figure.colorbar(axis.imshow(np.eye(3)), ax=axis, label="level")
        return finish(axis, "eye", "", "").svg

    plain = svg()
    with matplotlib.rc_context({f"figure.{setting}": True}):
        assert svg() == plain


def test_figures_are_drawn_once(monkeypatch):
    drawn, plain_draw = [], Figure.draw

    def draw(figure, renderer):
        drawn.append(figure)
        plain_draw(figure, renderer)

    monkeypatch.setattr(Figure, "draw", draw)
    finish(new_axes(), "empty", "", "")
    assert len(drawn) == 1


def test_clips_are_short_and_the_loudest_stretch(write_wav):
    samples = np.zeros(20 * RATE)
    samples[12 * RATE : 13 * RATE] = 0.5 * np.sin(np.arange(RATE))
    path = write_wav("long.wav", samples)
    (clip,) = make_clips([Cut(path, about={"title": "x", "kind": "y"})], 2.0, n_jobs=1)
    assert clip.start_s <= 12
    assert clip.end_s >= 13
    assert clip.end_s - clip.start_s == pytest.approx(2.0, abs=0.01)
    assert len(clip.audio.data) < 40_000


@pytest.mark.parametrize("codec", _clips._CODECS, ids=lambda codec: codec[1])
def test_every_codec_can_be_read_back(codec, monkeypatch, tmp_path):
    if not soundfile.check_format(*codec[:2]):
        pytest.skip("this libsndfile does not write it")
    monkeypatch.setattr(_clips, "_codec", lambda: codec)
    sound = 0.5 * np.sin(np.arange(32_000) * 0.3).astype(np.float32)
    content = _clips.encode_audio(sound)
    assert content.type == codec[2]
    path = tmp_path / "clip"
    path.write_bytes(content.data)
    samples, rate = soundfile.read(path)
    assert len(samples) / rate == pytest.approx(1.0, abs=0.15)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.354, rel=0.15)


def test_what_explains_may_be_a_figure_an_array_or_nothing():
    figure = plt.figure()
    assert as_content(figure).type == "image/png"
    assert not plt.fignum_exists(figure.number)
    assert as_content(np.zeros((4, 5, 3), np.uint8)).data
    assert as_content(None) is None
    with pytest.raises(TypeError, match="explain returned str"):
        as_content("picture")
