"""Advice for people who write Python, said to those at the command line."""

# What messages of the Python API say, and what that is in commands. `train` has --set
# for what has no flag; `predict` and `evaluate` are told of recordings by a table.
ADVICE = {
    "Resampler(channels='loudest'), or a column 'channels' of the table, takes one of "
    "them.": "A column 'channels' of a table of the recordings takes one of them "
    "('loudest', or a number from 0), and so does a model of `skbird train --channels "
    "loudest`.",
    ", or pass on_error='skip' to LogMel: they are then not trained on, and their "
    "predictions are NaN.": ".",
    "Lower low_hz, or put a Resampler with a higher sample_rate before BandPass.": (
        "Raise --sample-rate, or lower the one with --set bandpass__low_hz=..."
    ),
    "Lower them, or put a Resampler with a higher sample_rate before LogMel.": (
        "Raise --sample-rate, or lower them with --set logmel__low_hz=..."
    ),
    "Give LogMel a cache_dir to keep them on disk instead.": (
        "Pass fewer recordings at a time if that is too much."
    ),
    "Cut it into rows of a few seconds; skbird.data.segment_table does.": (
        "Cut it into rows of a few seconds: a table with path, start and end."
    ),
    "timm.list_models() lists them all.": (
        '`python -c "import timm; print(timm.list_models())"` lists them all.'
    ),
    " If it calls them otherwise, PlaceSeasonPrior(names={species: name}) says how.": (
        ""
    ),
    "Lower lr=": "Lower --lr=",
    "with a lower lr,": "with a lower --lr,",
    "callbacks__clipping__": "--set sedclassifier__callbacks__clipping__",
    "precision='float32'": "--set sedclassifier__precision=float32",
    ", or leave these columns out of Y.": ".",
    ", or pass species=[...].": ".",
    "Add them to species to keep them.": "Correct them if they are misspelled.",
    "name each in species.": "give them names that differ in more.",
    "Where rows come from segment_table, pass its table, not its paths alone.": (
        "Fill in start and end if they are parts of it."
    ),
    "Use precision='float32', another backend, or raise the tolerance if the ranking "
    "of your rows does not change.": "That is too much.",
    "Pass its format, or": "Pass --annotations-format, or",
    "is none that crowsetta knows": "is no --annotations-format that crowsetta knows",
    "annotation_column=": "--annotation-column=",
    "as annotation_column.": "as --annotation-column.",
    "(see min_overlap_s, min_overlap_fraction)": "(see --min-overlap-s)",
    ", or pass recordings when reading.": ".",
    "step_s=": "--step-s=",
    "Raise step_s,": "Raise --step-s,",
    "fit into time_budget_s:": "fit into --time-budget-s:",
    "Call predict_archive again, with the same arguments:": (
        "Call the same command again:"
    ),
    "call again with the same arguments;": "call the same command again;",
    "A smaller batch_size of compile_pipeline needs less memory.": "",
}


def for_commands(text):
    """Say in terms of commands and their flags what a message advises in Python."""
    for python, command in ADVICE.items():
        text = text.replace(python, command)
    return text
