"""What examples get as their command lines when the gallery runs them."""

import os
from pathlib import Path

OUTPUT = Path(__file__).parent.parent / "_build" / "examples"


def arguments(gallery_conf, script_vars):
    """Return arguments that make an example write beside the built site."""
    source = Path(script_vars["src_file"])  # in whose folder it runs
    return ["--output", os.path.relpath(OUTPUT / source.stem, source.parent)]
