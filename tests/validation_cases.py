"""A valid call of each public function, for the tests of wrong arguments."""

import inspect
from dataclasses import dataclass, field
from importlib.util import find_spec
from operator import attrgetter

import numpy as np
import pandas as pd
import soundfile
from conftest import RATE, tone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import KFold
from tiny_encoder import write_encoder

from skbird import (
    annotations,
    audio,
    data,
    datasets,
    encoders,
    inspection,
    metrics,
    model_selection,
    recipes,
    reports,
    survey,
)
from skbird.annotations import write_audacity, write_birdnet, write_boxes, write_raven
from skbird.archive import predict_archive
from skbird.data import Spectrograms
from skbird.ensemble import combine_proba, fit_weights
from skbird.inference import (
    compile_pipeline,
    export_onnx,
    load_model,
    save_model,
    trained_on,
)
from skbird.nn import soup
from skbird.postprocessing import reweight
from skbird.preprocessing import LogMel
from skbird.review import (
    ReviewSession,
    choose_for_review,
    read_reviews,
    reviews_to_rows,
)
from skbird.semi_supervised import make_pseudo_labels
from skbird.utils import estimator_checks
from skbird.utils.estimator_checks import LevelClassifier

# What has no case, and why.
EXCUSED = {
    **{
        f"skbird.utils.estimator_checks.{name}": "judges estimators, for tests"
        for name in estimator_checks.__all__
    },
    "skbird.cli.main": "reads the command line",
}


_DRAWN_SLOWLY = ("PredictionDisplay", "SpectrogramDisplay", "EmbeddingMapDisplay")


@dataclass
class Case:
    """How to call a function rightly.

    Parameters
    ----------
    function : callable
    arguments : dict
        Of the valid call; parameters that are not here have their defaults.
    refused : str, default=None
        What matches the error of that call, where no valid one is cheap: one that needs
        a trained network.
    handed_on : set of str
        Parameters that others check: what the caller passed, or scikit-learn.
    without : tuple of str
        Slow functions behind the checks, to be left out.
    """

    function: callable
    arguments: dict = field(default_factory=dict)
    refused: str | None = None
    handed_on: set = field(default_factory=set)
    without: tuple = ()


def make_cases(folder):
    """Return a dict of `Case` by public name; files lie in `folder`."""
    material = _Material(folder)
    return {
        **_metrics(material),
        **_models(material),
        **_data(material),
        **_encoders(material),
        **_audio(material),
        **_datasets(material),
        **_annotations(material),
        **_inference(material),
        **_inspection(material),
        **_reports(material),
        **_survey(material),
        **_recipes(),
    }


class _Material:
    def __init__(self, folder):
        self.folder = folder
        rng = np.random.default_rng(0)
        self.sounds = folder / "sounds"
        self.paths = []
        for number in range(4):
            path = self.sounds / ("wren" if number % 2 else "dove") / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            samples = tone(1000 + 500 * number, 1.0)
            samples += 0.01 * rng.standard_normal(len(samples))
            soundfile.write(path, samples, RATE)
            self.paths.append(str(path))
        self.Y = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
        self.proba = np.array([[0.9, 0.2], [0.4, 0.6], [0.3, 0.7], [0.1, 0.8]])
        self.X = pd.DataFrame(
            {
                "path": self.paths,
                "start": 0.0,
                "end": 1.0,
                "author": list("abcd"),
                "date": ["2024-05-01", "2024-05-02", "2024-05-03", "2024-05-04"],
                "primary_label": ["dove", "wren", "dove", "wren"],
                "collection": ["XC", "XC", "iNat", "iNat"],
            }
        )
        self.boxes = pd.DataFrame(
            {
                "path": self.paths[:2],
                "start": 0.1,
                "end": 0.9,
                "low_hz": 500.0,
                "high_hz": 2000.0,
                "species": ["dove", "wren"],
                "score": 0.5,
            }
        )
        self.few = {"n_species": 4, "n_recordings": 4, "n_test": 1, "soundscape_s": 5.0}
        self.few |= {"n_labeled": 1, "n_unlabeled": 1}
        self.model = LevelClassifier().fit(self.X, self.Y)

    def __call__(self, name):
        return str(self.folder / name)


def _metrics(m):
    judged = {"y_true": m.Y, "proba": m.proba}
    events = {"true_events": m.boxes, "predicted_events": m.boxes}
    functions = {
        "co_activation": judged,
        "error_table": judged,
        "event_report": events,
        "lrap": judged,
        "macro_average_precision": judged,
        "macro_roc_auc": judged,
        "match_events": events,
        "padded_cmap": judged,
        "prediction_entropy": {"proba": m.proba},
        "species_report": judged,
        "threshold_curve": judged,
    }
    scorers = {
        f"skbird.metrics.{name}": Case(
            getattr(metrics, name),
            {"estimator": m.model, "X": m.X, "y_true": m.Y},
            handed_on={"X", "sample_weight", "kwargs"},
        )
        for name in metrics.__all__
        if name.endswith("_scorer")
    }
    return {
        **{
            f"skbird.metrics.{name}": Case(getattr(metrics, name), arguments)
            for name, arguments in functions.items()
        },
        **scorers,
    }


def _models(m):
    few = {"n_bootstrap": 10}
    folds = [([0, 1], [2, 3])]
    groups = ["a", "b", "c", "d"]
    dummy = DummyClassifier(strategy="prior")
    room = "skbird.model_selection."
    return {
        "skbird.ensemble.combine_proba": Case(
            combine_proba, {"proba": [m.proba, m.proba]}
        ),
        "skbird.ensemble.fit_weights": Case(
            fit_weights, {"proba": [m.proba, m.proba], "Y": m.Y}
        ),
        "skbird.postprocessing.reweight": Case(
            reweight, {"proba": m.proba, "groups": groups}
        ),
        "skbird.review.ReviewSession.from_proba": Case(
            ReviewSession.from_proba,
            {"proba": m.proba, "X": m.X, "path": m.folder / "reviews.sqlite"},
        ),
        "skbird.review.read_reviews": Case(
            read_reviews, {"path": _reviewed(m.folder / "read.sqlite")}
        ),
        "skbird.review.choose_for_review": Case(
            choose_for_review, {"proba": m.proba, "X": m.X}
        ),
        "skbird.review.reviews_to_rows": Case(
            reviews_to_rows,
            {
                "reviews": m.X.assign(species="wren", judged=1),
                "X": m.X,
                "species": ["dove", "wren"],
            },
        ),
        "skbird.semi_supervised.make_pseudo_labels": Case(
            make_pseudo_labels, {"proba": m.proba}
        ),
        room + "check_leaks": Case(
            model_selection.check_leaks,
            {"X": m.X, "folds": folds, "author": "author", "date": "date"}
            | {"identical": False, "near_duplicates": False, "verbose": 0},
        ),
        room + "cross_val_report": Case(
            model_selection.cross_val_report,
            {"estimator": dummy, "X": np.zeros((4, 1)), "Y": m.Y, "cv": KFold(2)} | few,
        ),
        room + "find_leaks": Case(
            model_selection.find_leaks,
            {"X": m.X, "train": [0, 1], "test": [2, 3], "identical": False}
            | {"embeddings": np.eye(len(m.X)), "min_similarity": 0.9},
        ),
        room + "fold_report": Case(
            model_selection.fold_report, {"Y": m.Y, "folds": folds}
        ),
        room + "group_train_test_split": Case(
            model_selection.group_train_test_split,
            {"Y": m.Y, "groups": groups, "test_size": 0.5},
        ),
        room + "leak_groups": Case(
            model_selection.leak_groups,
            {"X": m.X, "author": "author", "date": "date", "identical": True},
        ),
        room + "macro_roc_auc_interval": Case(
            model_selection.macro_roc_auc_interval,
            {"y_true": m.Y, "proba": m.proba} | few,
        ),
        room + "paired_bootstrap": Case(
            model_selection.paired_bootstrap,
            {"y_true": m.Y, "proba_a": m.proba, "proba_b": m.proba} | few,
        ),
        room + "GroupMultilabelKFold": Case(
            _split(model_selection.GroupMultilabelKFold), {"n_splits": 2}
        ),
        room + "LeaveOneSourceOut": Case(_split(model_selection.LeaveOneSourceOut), {}),
    }


def _split(splitter):
    """Return a function of the parameters of a splitter that makes it split."""
    y = np.tile(np.eye(2), (4, 1))
    groups = np.repeat(["a", "b", "c", "d"], 2)

    def split(**parameters):
        return list(splitter(**parameters).split(y, y, groups))

    split.__signature__ = inspect.signature(splitter)
    return split


def _data(m):
    grid = data.SegmentGrid()
    functions = {
        "as_recordings": {"X": m.X},
        "check_rows": {"X": m.X},
        "encode_labels": {"table": m.X},
        "read_rows": {"path": m("rows.csv")},
        "recording_weights": {"table": m.X, "Y": m.Y},
        "row_weights": {"measured": [], "starts": np.zeros(1), "segment_s": 5.0}
        | {"row": {}},
        "segment_means": {"values": np.ones(5), "values_per_s": 1.0}
        | {"starts": np.zeros(1), "segment_s": 5.0},
        "segment_table": {"recordings": m.paths},
        "Recordings": {"rows": m.X},
        "SegmentGrid": {"segment_s": 5.0},
        "SpectrogramFormat": {"mel_hz": (500.0, 1000.0), "frame_s": 0.1, "grid": grid},
    }
    m.X.to_csv(m("rows.csv"), index=False)
    arrays = [np.zeros((2, 60), np.float32)] * 4
    return {
        **{
            f"skbird.data.{name}": Case(getattr(data, name), arguments)
            for name, arguments in functions.items()
        },
        "skbird.data.Spectrograms.from_arrays": Case(
            Spectrograms.from_arrays, {"arrays": arrays}
        ),
    }


def _audio(m):
    functions = {
        "list_audio": {"folder": m.sounds},
        "read_audio": {"path": m.paths[0]},
        "read_header": {"path": m.paths[0]},
    }
    return {
        f"skbird.audio.{name}": Case(getattr(audio, name), arguments)
        for name, arguments in functions.items()
    }


def _datasets(m):
    datasets.make_birdclef(m("made"), **m.few, n_jobs=1)
    room = "skbird.datasets."
    return {
        room + "load_birdclef": Case(datasets.load_birdclef, {"root": m("made")}),
        room + "load_recordings": Case(datasets.load_recordings, {"source": m.sounds}),
        room + "make_birdclef": Case(
            datasets.make_birdclef,
            {"root": m("made_too"), **m.few, "n_jobs": 1},
            without=(room + "_make_birdclef.load_birdclef",),
        ),
        room + "make_survey": Case(
            datasets.make_survey,
            {"n_sites": 1, "n_weeks": 1, "n_species": 2, "recordings_per_day": 1},
        ),
    }


def _annotations(m):
    for kind in ("raven", "audacity"):
        (m.folder / kind).mkdir()
    write_audacity(m.boxes, m("audacity"))
    write_raven(m.boxes, m("raven"))
    write_birdnet(m.boxes, m("birdnet.csv"))
    write_boxes(m.boxes, m("boxes.csv"))
    audacity = sorted(map(str, (m.folder / "audacity").iterdir()))
    raven = sorted(map(str, (m.folder / "raven").iterdir()))
    kaleidoscope = m.folder / "kaleidoscope.csv"
    kaleidoscope.write_text(
        "INDIR,FOLDER,IN FILE,OFFSET,DURATION,MANUAL ID\n"
        f"{m.sounds},dove,0.wav,0.1,0.5,dove\n"
    )
    out = m("submission.csv")
    rows = m.X[["path", "start", "end"]]
    annotations.write_submission(m.proba, rows, out, species=["dove", "wren"])
    functions = {
        "boxes_to_rows": {"boxes": m.boxes, "X": m.paths},
        "proba_to_events": {"proba": m.proba, "X": rows, "species": ["a", "b"]},
        "read_annotations": {"files": m("boxes.csv")},
        "read_audacity": {"files": audacity},
        "read_birdnet": {"files": m("birdnet.csv")},
        "read_boxes": {"path": m("boxes.csv")},
        "read_crowsetta": {"files": raven[0], "format": "raven"},
        "read_kaleidoscope": {"files": str(kaleidoscope)},
        "read_raven": {"files": raven},
        "read_submission": {"path": out},
        "write_audacity": {"boxes": m.boxes, "folder": m("audacity")},
        "write_birdnet": {"boxes": m.boxes, "path": m("birdnet2.csv")},
        "write_boxes": {"boxes": m.boxes, "path": m("boxes2.csv")},
        "write_raven": {"boxes": m.boxes, "folder": m("raven")},
        "write_submission": {"proba": m.proba, "X": rows, "path": m("s2.csv")}
        | {"species": ["dove", "wren"]},
    }
    refused = {}
    if find_spec("crowsetta") is None:
        refused["read_crowsetta"] = "needs crowsetta"
    return {
        f"skbird.annotations.{name}": Case(
            getattr(annotations, name), arguments, refused=refused.get(name)
        )
        for name, arguments in functions.items()
    }


def _inference(m):
    room = "skbird.inference."
    no_network = "compile|network|compiled"
    return {
        "skbird.archive.predict_archive": Case(
            predict_archive,
            {"model": m.model, "recordings": [], "out": m("archive")}
            | {"segment_s": 1.0, "verbose": 0, "fresh": True},
        ),
        room + "compile_pipeline": Case(
            compile_pipeline, {"model": m.model, "X": m.X}, refused=no_network
        ),
        room + "export_onnx": Case(
            export_onnx, {"model": m.model, "path": m("a.onnx")}, refused=no_network
        ),
        room + "save_model": Case(
            save_model, {"model": m.model, "path": m("a.model")}, refused=no_network
        ),
        room + "load_model": Case(
            load_model, {"path": m.paths[0]}, refused="no model|not a model"
        ),
        "skbird.nn.soup": Case(soup, {"nets": [m.model]}, refused="network"),
        room + "trained_on": Case(trained_on, {"model": m.model, "X": m.X}),
    }


def _inspection(m):
    judged = {"y_true": m.Y, "proba": m.proba}
    rows = pd.DataFrame({"path": "a.wav", "start": range(4), "end": range(1, 5)})
    maps = np.ones((2, 4, 4))
    region = np.ones((2, 4, 4), dtype=bool)
    of_network = {"estimator": m.model, "X": m.X}
    no_network = "SEDClassifier|network|skbird.nn|PseudoLabelSelfTraining"
    functions = {
        "energy_inside": {"maps": maps, "region": region},
        "pointing_game": {"maps": maps, "region": region},
        "CoActivationDisplay.from_predictions": judged,
        "EmbeddingMapDisplay.from_embeddings": {
            "train_embeddings": np.tile(m.proba, (3, 1)),
            "soundscape_embeddings": np.tile(m.Y, (3, 1)),
        },
        "PredictionDisplay.from_estimator": {"estimator": m.model}
        | {"X": m.X[["path", "start", "end"]][:1]},
        "PredictionDisplay.from_predictions": {"X": rows, "proba": m.proba},
        "ReliabilityDisplay.from_predictions": judged,
        "SpectrogramDisplay.from_estimator": {"estimator": LogMel(n_mels=16)}
        | {"X": m.X},
        "SupportDisplay.from_predictions": judged,
        "ThresholdCurveDisplay.from_predictions": judged,
    }
    of_networks = {
        "AttentionDisplay.from_estimator": of_network,
        "CurriculumDisplay.from_estimator": {"estimator": m.model},
        "EmbeddingMapDisplay.from_estimator": {"estimator": m.model}
        | {"X_train": m.X, "X_soundscapes": m.X},
        "GradCAMDisplay.from_estimator": of_network,
        "attention_boxes": {"X": m.X, "time": m.model},
        "SelfTrainingDisplay.from_estimator": {"estimator": m.model},
        "explanation_report": {**of_network, "boxes": m.boxes},
    }
    of_networks = {
        f"skbird.inspection.{name}": Case(_public(name), arguments, refused=no_network)
        for name, arguments in of_networks.items()
    }
    inside = "skbird.inspection."
    drawn_slowly = [name for name in functions if name.startswith(_DRAWN_SLOWLY)]
    slow = {name: (name.split(".")[0] + ".plot",) for name in drawn_slowly}
    return of_networks | {
        inside + name: Case(
            _public(name),
            arguments,
            without=tuple(inside + function for function in slow.get(name, ())),
            handed_on={"axes", "ax"} if name in drawn_slowly else set(),
        )
        for name, arguments in functions.items()
    }


def _reports(m):
    quiet = {"verbose": 0, "n_jobs": 1}
    room = "skbird.reports."
    return {
        room + "describe_errors": Case(
            reports.describe_errors,
            {"X": None, "y_true": m.Y, "proba": m.proba, **quiet},
            without=(room + "_describe_errors.sections.error_sections",),
        ),
        room + "describe_recordings": Case(
            reports.describe_recordings,
            {"X": m.X, **quiet},
            without=(
                room + "_describe_recordings.sections.recording_sections",
                room + "_describe_recordings.make_clips",
            ),
        ),
        room + "describe_survey": Case(
            reports.describe_survey,
            _heard(m) | {"threshold": 0.5, "sites": _sites()},
            without=(room + "_describe_survey.survey_sections",),
            handed_on={"proba", "X", "species", "reviews"},  # to activity
        ),
    }


def _sites():
    sites = {"site": ["marsh"], "start": "2024-05-01", "end": "2024-06-01"}
    return pd.DataFrame(sites | {"latitude": 1.0, "longitude": 1.0, "time_zone": "UTC"})


def _reviewed(path):
    ReviewSession.from_proba([[0.5]], ["a.wav"], path).judge(0, "yes", reviewer="Ada")
    return path


def _heard(m):
    made = pd.DataFrame({"path": ["marsh/20240501_053000.WAV"], "duration_s": 10.0})
    X = pd.DataFrame(
        {"path": made["path"].repeat(2), "start": [0.0, 5.0], "end": [5.0, 10.0]}
    )
    heard = {"proba": m.proba[:2], "X": X, "species": ["dove", "wren"]}
    return heard | {"recordings": survey.recording_times(made, "UTC")}


def _survey(m):
    heard, sites = _heard(m), _sites()
    recordings = heard["recordings"]
    made = recordings[["path", "duration_s"]]
    found = survey.activity(**heard)
    history = survey.detection_history(found)
    reviews = history.assign(judged=1.0, weight=1.0, start=0.0, path=made["path"][0])
    on_disk = survey.recording_times(m.X[["path"]].drop_duplicates(), "UTC")
    drawn = {"activity": found, "species": "wren"}
    functions = {
        "recording_times": {"recordings": made, "time_zone": "UTC"},
        "check_deployments": {"recordings": recordings, "sites": sites},
        "effort": {"recordings": recordings},
        "activity": heard | {"reviews": reviews, "sites": sites},
        "detection_history": {"activity": found},
        "call_density": {"reviews": reviews},
        "accumulation": {"history": history},
        "first_detections": {"history": history},
        "mark_unusable": {"recordings": on_disk, "n_jobs": 1, "verbose": 0},
        "sun_times": {"sites": sites},
        "ActivityDisplay.from_activity": drawn,
        "SiteActivityDisplay.from_activity": drawn,
        "AccumulationDisplay.from_history": {"history": history},
    }
    room = "skbird.survey."
    made_by = {
        name: (attrgetter(name)(survey), arguments)
        for name, arguments in functions.items()
    }
    return {
        room + name: Case(
            function,
            arguments,
            without=(room + name.split(".")[0] + ".plot",) if "." in name else (),
        )
        for name, (function, arguments) in made_by.items()
    }


def _encoders(m):
    path = write_encoder(m.folder)
    spec = encoders.read_spec(path.with_suffix(".json"))
    room = "skbird.encoders."
    geo = encoders.GeoModelSpec("places", "1", 2, class_names=["dove", "wren"])
    return {
        room + "Windows.from_arrays": Case(
            encoders.Windows.from_arrays, {"arrays": [[[0.0, 1.0]], [[1.0, 0.0]]]}
        ),
        room + "check_encoder": Case(
            encoders.check_encoder,
            {"encoder": str(path), "on_fail": None},
        ),
        room + "heard_before": Case(
            encoders.heard_before, {"X": m.X, "spec": "birdnet-2.4"}
        ),
        room + "load_encoder": Case(encoders.load_encoder, {"encoder": str(path)}),
        room + "load_geo_model": Case(
            encoders.load_geo_model,
            {"model": lambda places: np.zeros((len(places), 2)), "spec": geo},
        ),
        room + "read_spec": Case(
            encoders.read_spec, {"path": path.with_suffix(".json")}
        ),
        room + "write_spec": Case(
            encoders.write_spec, {"spec": spec, "path": m.folder / "spec.json"}
        ),
    }


def _recipes():
    """Recipes hand all on to estimators, which look at it in ``fit``."""
    return {
        f"skbird.recipes.{name}": Case(
            recipe,
            {} if name == "few_labels" else {"backbone_weights": None},
            handed_on=set(inspect.signature(recipe).parameters) - {"scores"},
        )
        for name, recipe in ((name, getattr(recipes, name)) for name in recipes.__all__)
    }


def _public(name):
    return attrgetter(name)(inspection)
