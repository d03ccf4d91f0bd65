"""What examples get as their command lines when the gallery runs them."""

import os
from pathlib import Path

from skbird.datasets import make_birdclef

OUTPUT = Path(__file__).parent.parent / "_build" / "examples"


def arguments(gallery_conf, script_vars):
    """Return arguments for a small set of recordings, and a folder beside the site."""
    make_birdclef(OUTPUT / "set", n_recordings=100, n_unlabeled=2, n_test=4)
    source = Path(script_vars["src_file"])  # in whose folder it runs
    root, output = (
        os.path.relpath(OUTPUT / name, source.parent) for name in ("set", source.stem)
    )
    return ["--root", root, "--output", output]
