"""How Sphinx builds the site: ``nox -s docs``."""

import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

import skbird  # noqa: E402

project = "skbird"
author = "The skbird developers"
project_copyright = author
release = skbird.__version__
version = release

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "api_pages",
    "outside_links",
]
exclude_patterns = ["_build", "_templates", "gallery_header.rst"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "py:obj"
toc_object_entries_show_parents = "hide"
autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"
numpydoc_show_class_members = False

# A few names of each: the build needs no network.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", "_inventories/python.inv"),
    "pandas": ("https://pandas.pydata.org/docs", "_inventories/pandas.inv"),
    "sklearn": ("https://scikit-learn.org/stable", "_inventories/scikit-learn.inv"),
}

#: Those that take seconds; the others are shown without being run.
QUICK_EXAMPLES = ["eda", "precompute"]


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "examples",
    "filename_pattern": rf"/({'|'.join(QUICK_EXAMPLES)})\.py$",
    "ignore_pattern": r"^_",
    "reset_argv": "gallery_arguments.arguments",
    "default_thumb_file": str(HERE / "images" / "soundscape.png"),
    "download_all_examples": False,
    "show_memory": False,
    "remove_config_comments": True,
    "write_computation_times": False,
    "plot_gallery": "True",
    "abort_on_example_error": True,
}
warnings.filterwarnings("ignore", message=".*FigureCanvasAgg is non-interactive.*")

#: Those with wide tables have no list of their contents beside them.
WIDE_PAGES = ["index", "comparison"] + [
    f"{page.parent.name}/{page.stem}"
    for folder in ("coming_from", "results")
    for page in (HERE / folder).glob("*.md")
]

html_theme = "pydata_sphinx_theme"
html_title = "skbird"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["llms.txt"]
html_show_sourcelink = False
html_sidebars = {"index": []}
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": {
        "**": ["page-toc"],
        **{page: [] for page in WIDE_PAGES},
    },
    "show_prev_next": True,
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
}
