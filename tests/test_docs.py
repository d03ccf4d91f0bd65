"""The pages of the site: nothing is missing, code runs, messages are skbird's own."""

import importlib.util
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from public_names import public_callables
from toy_encoder import HZ, toy

import skbird

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
BUILT = ("_build", "api", "examples")  # by Sphinx, not by people
PAGES = [
    page
    for page in sorted(DOCS.rglob("*.md"))
    if page.relative_to(DOCS).parts[0] not in BUILT
]
RATE = 8000

#: Which test runs the Python code of a page.
RUN_BY = {
    "active.md": "test_docs.py",
    "around_the_pipeline.md": "test_readme.py",
    "coming_from/kaggle_notebook.md": "test_docs.py",
    "coming_from/scikit_learn.md": "test_docs.py",
    "displays_and_annotations.md": "test_readme.py",
    "encoders.md": "test_encoder_models.py",
    "extending.md": "test_docs.py",
    "how_many_labels.md": "test_docs.py",
    "prediction.md": "test_readme.py",
    "recordings.md": "test_readme.py",
    "rows.md": "test_docs.py",
    "sources.md": "test_docs.py",
    "survey.md": "test_survey_truth.py",
    "training.md": "test_docs.py",
}
#: Pages whose code no test runs, and why.
NOT_RUN = {"review.md": "people listen in it"}


def name_of(page):
    return page.relative_to(DOCS).as_posix()


def code_of(page):
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def load(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def toctrees():
    """Return the names of the pages that are in a list of contents."""
    found = set()
    for page in PAGES:
        for block in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), re.S):
            names = [line for line in block.splitlines() if not line.startswith(":")]
            found |= {name_of((page.parent / name).resolve()) for name in names}
    return found


def test_every_public_object_is_in_the_reference():
    api = load("api_pages")
    lines = {room: api.room_page(room).splitlines() for room in api.rooms()}
    for name in public_callables():
        room, _, member = name.rpartition(".")
        if room in lines:  # and not the class of a method
            assert f"   {member}" in lines[room], name
    assert [f"   {room}" in api.index_page() for room in lines] == [True] * len(lines)


def test_every_page_is_in_a_list_of_contents():
    pages = {name_of(page).removesuffix(".md") for page in PAGES} - {"index"}
    assert pages - toctrees() == set()
    assert toctrees() - pages == {"api/index", "examples/index"}


def test_links_to_headings_lead_there():
    for page in [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for path, heading in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
            target = page.parent / path if path else page
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            words = [re.sub(r"[^\w -]", "", title.lower()) for title in titles]
            assert heading in [title.replace(" ", "-") for title in words], (
                f"{page.name}: {path}#{heading}"
            )


def test_links_to_files_beside_the_folder_have_a_page_in_the_site():
    known = load("outside_links").PAGES
    for page in PAGES:
        for link in re.findall(r"\]\((\.\./[^)#:]+)\)", page.read_text()):
            target = (page.parent / link).resolve()
            if not target.is_relative_to(DOCS):
                assert target.relative_to(ROOT).as_posix() in known, f"{page}: {link}"
    assert all((ROOT / path).is_file() for path in known)
    assert all((DOCS / page).is_file() for page in known.values())


def test_the_map_for_language_models_leads_to_pages():
    links = re.findall(r"\]\((.*?)\.html\)", (DOCS / "llms.txt").read_text())
    assert len(links) > 20
    for link in links:
        built = link.split("/")[0] in BUILT
        assert built or (DOCS / f"{link}.md").is_file(), link


def test_the_citation_is_of_this_version():
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == skbird.__version__
    assert citation["license"] == "BSD-3-Clause"
    assert {"title", "message", "authors"} <= citation.keys()


def test_code_of_pages_is_run_by_a_test():
    with_code = {name_of(page) for page in PAGES if code_of(page)}
    assert with_code == RUN_BY.keys() | NOT_RUN.keys()
    for page, test in RUN_BY.items():
        assert Path(page).name in (ROOT / "tests" / test).read_text(), page


def test_messages_on_the_page_of_errors_are_those_of_skbird():
    files = Path(skbird.__file__).parent.rglob("*.py")
    source = "\n".join(re.sub(r'"\s*\n\s*f?"', "", f.read_text()) for f in files)
    page = (DOCS / "errors.md").read_text()
    messages = re.findall(r"^\| `([^`]*)` \|", page, re.MULTILINE)
    assert len(messages) > 20
    for message in messages:
        for part in message.split("…"):
            assert part in source, message


@pytest.fixture
def names(tmp_path, monkeypatch):
    """Return what the code on pages takes as given: X, Y and what goes with them."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    species = list(HZ)[:2]
    lines = []
    for number in range(12):
        label = species[number % 2]
        wave = np.sin(2 * np.pi * HZ[label] * np.arange(3 * RATE) / RATE)
        sound = 0.1 * wave + 0.02 * rng.standard_normal(3 * RATE)
        path = str(tmp_path / f"{number}.wav")
        soundfile.write(path, sound, RATE)
        lines.append((path, f"author {number // 2}", number // 2, label))
    X = pd.DataFrame(lines, columns=["path", "author", "recordist", "label"])
    Y = pd.get_dummies(X["label"])[species].astype("float32")
    return {"X": X, "Y": Y, "paths": list(X["path"]), "species": species}


def cheap():
    from sklearn.pipeline import make_pipeline

    from skbird.encoders import EmbeddingEncoder, ProbeClassifier

    return make_pipeline(EmbeddingEncoder(toy(), verbose=0), ProbeClassifier())


@pytest.mark.slow
def test_rows_and_segments(names, capsys):
    (code,) = code_of("rows.md")
    exec(code, names)
    shown = capsys.readouterr().out
    assert "['path', 'start', 'end']" in shown
    assert "True" in shown
    assert len(names["rows"]) == 36
    assert 0 < names["quiet"][0].weights.min() < 1


@pytest.mark.slow
def test_sources_and_leaks(names, capsys):
    (code,) = code_of("sources.md")
    names["pipe"] = cheap()
    exec(code, names)
    assert names["report"].macro_roc_auc > 0.9
    assert "AUC" in capsys.readouterr().out


@pytest.mark.slow
def test_a_filter_of_your_own(capsys):
    changes, weighs, check = code_of("extending.md")
    names = {"__name__": "__main__"}
    exec(changes, names)
    assert "(12, " in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"share=2 must be in \[0, 1\]"):
        names["OffsetRemover"](2).fit(names["X"])
    exec(weighs, names)
    assert "[1. 0.]" in capsys.readouterr().out
    exec(check, names)
    assert capsys.readouterr().out.count("passed") == 2


@pytest.mark.slow
def test_from_scikit_learn(names, capsys):
    (code,) = code_of("coming_from/scikit_learn.md")
    exec(code, names)
    assert "logmel__n_mels" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.usefixtures("brief_recordings")
def test_from_a_kaggle_notebook(tmp_path, monkeypatch, capsys):
    pytest.importorskip("timm")
    monkeypatch.chdir(tmp_path)
    (code,) = code_of("coming_from/kaggle_notebook.md")
    small = "n_species=2, n_recordings=14, n_test=2, n_labeled=5, n_unlabeled=2"
    small += ", soundscape_s=10"
    code = code.replace("n_species=6, n_recordings=120, n_labeled=20", small)
    code = code.replace("fast(", "fast('test_efficientnet', ")
    code = code.replace("row=8", "row=1, sedclassifier__max_epochs=1")
    names = {}
    exec(code, names)
    files = {path.stem for path in tmp_path.glob("*.csv")}
    assert files == {"network", "student", "reweighted"} == set(names["models"])
    shown = capsys.readouterr().out
    assert "quote this score" in shown
    assert "\nreweighted 0." in shown


@pytest.mark.slow
def test_active_learning(names, capsys):
    (code,) = code_of("active.md")
    names["listen"] = lambda rows: names["Y"].loc[rows.index].to_numpy()
    names["encoder"] = toy()
    exec(
        code.replace('"birdnet-2.4"', "encoder").replace("query(20)", "query(4)"), names
    )
    assert "n_labeled" in capsys.readouterr().out


@pytest.mark.slow
def test_several_together(names, capsys):
    (code,) = code_of("how_many_labels.md")
    names["encoder"] = toy()
    code = code.replace("few_labels(c", "few_labels(encoder, c")
    exec(code.replace('"birdnet-2.4"', "encoder"), names)
    assert names["both"].weights_.sum() == pytest.approx(1)
    assert names["both"].predict_proba(names["X"]).shape == (12, 2)


@pytest.mark.slow
def test_distillation(names):
    pytest.importorskip("timm")
    (code,) = code_of("training.md")
    names["toy"] = toy()
    short = "toy, 'test_efficientnet', backbone_weights=None, max_epochs=1, verbose=0, "
    code = code.replace('"birdnet-2.4", "efficientnet_b0", ', short)
    exec(code.replace("efficientnet_b0", "test_efficientnet"), names)
    assert Path("weights.safetensors").is_file()
    pipe = names["pipe"].set_params(sedclassifier__max_epochs=1)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "weights.safetensors was distilled on other")
        pipe.fit(names["X"], names["Y"])
