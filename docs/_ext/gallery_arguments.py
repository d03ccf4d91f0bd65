"""What examples get as their command lines when the gallery runs them."""

from pathlib import Path

OUTPUT = Path(__file__).parent.parent / "_build" / "examples"


def arguments(gallery_conf, script_vars):
    """Return arguments that make an example write beside the built site."""
    return ["--output", str(OUTPUT / Path(script_vars["src_file"]).stem)]
