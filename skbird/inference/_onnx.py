"""Fitted networks as ONNX files, for runtimes that know nothing of skbird."""

import json

import numpy as np
import scipy.signal
from sklearn.utils.validation import check_is_fitted

from skbird.data import as_recordings
from skbird.preprocessing import BandPassOp, ResampleOp
from skbird.utils._files import open_whole
from skbird.utils._nested import steps_of
from skbird.utils._params import check_path


def export_onnx(model, path, *, inputs="samples"):
    """Write a fitted network to an ONNX file: for phones, browsers, other languages.

    Parameters
    ----------
    model : fitted Pipeline or network
        A pipeline that ends in `LogMel` and a network of `skbird.nn`.
    path : str or path-like
        The file, by convention ``.onnx``. It appears when it is complete.
    inputs : {"samples", "segments"}, default="samples"
        What the file takes. "samples": the sound of segments, float32 (batch,
        n_samples), mono at the sample rate of `LogMel`; band-pass, log-mel
        spectrogram and network are in the file. "segments": log-mel spectrograms in
        dB, float32 (batch, n_frames, n_mels), as ``Spectrograms.segments`` has them;
        a network alone can be exported too.

    Returns
    -------
    notes : dict
        What the file says of itself, also kept in it as metadata: ``species``,
        ``segment_s``, and for samples ``sample_rate`` and ``n_samples``. Its output is
        ``probabilities`` (batch, n_species), float32, of single segments: a recording
        of many segments pools them by itself.

    Raises
    ------
    TypeError
        If `model` does not end in a network, or has a step that cannot be exported.
    ValueError
        If `inputs` is not known, or asks for a front end that `model` has not.

    See Also
    --------
    compile_pipeline : For prediction in Python.

    Notes
    -----
    The Fourier transform is a convolution and the band-pass a gain of its bins, so that
    any runtime with operator set 18 can follow. The spectrogram is that of the pipeline
    but for the first and the last frame of a segment, which half lie outside it: there
    the gain sees the cut as a click. Compare a few of your rows.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np, onnxruntime
    >>> from skbird.inference import export_onnx
    >>> from skbird.nn import CNNClassifier
    >>> X = np.random.default_rng(0).normal(-60, 10, (4, 32, 100)).astype("float32")
    >>> net = CNNClassifier("test_efficientnet", backbone_weights=None, max_epochs=1,
    ...                     verbose=0)
    >>> path = tempfile.mkdtemp() + "/net.onnx"
    >>> notes = export_onnx(net.fit(X, [[0], [1], [0], [1]]), path, inputs="segments")
    >>> session = onnxruntime.InferenceSession(path)
    >>> segments = X.transpose(0, 2, 1)
    >>> session.run(None, {"segments": segments})[0].shape
    (4, 1)
    """
    from skbird.inference import _export
    from skbird.nn import SegmentNet

    check_path(path)
    if not isinstance(inputs, str) or inputs not in ("samples", "segments"):
        raise ValueError(f"inputs={inputs!r} must be 'samples' or 'segments'.")
    *steps, net = steps_of(model)
    if not isinstance(net, SegmentNet):
        raise TypeError(
            f"model ends in {type(net).__name__}; a network of skbird.nn is needed. Of "
            "an ensemble export the members one by one."
        )
    check_is_fitted(net, ["species_", "module_"])  # some pipelines do not tell
    notes = {"species": list(map(str, net.species_))}
    notes["segment_s"] = net.format_.grid.segment_s
    if inputs == "segments":
        content = _export.probabilities_to_onnx(net, _as_json(notes))
    elif not steps:
        raise ValueError(
            "inputs='samples' needs the front end: pass the whole pipeline, or "
            "inputs='segments' for the network alone."
        )
    else:
        mel = steps[-1].make_op()
        sample_rate, filters = _mel_matrix(model, mel)
        notes["sample_rate"] = sample_rate
        notes["n_samples"] = round(notes["segment_s"] * sample_rate)
        content = _export.probabilities_to_onnx(
            net, _as_json(notes), notes["n_samples"], mel, filters
        )
    with open_whole(path, "wb") as file:
        file.write(content)
    return notes


def _mel_matrix(model, mel):
    """Return the sample rate and the mel filters, with the band-pass in them."""
    recordings = as_recordings(["any.wav"])  # never read
    *filters, _, net = steps_of(model)
    for step in filters:
        recordings = step.transform(recordings)
    trained_at = round(mel.hop_length / net.format_.frame_s)
    sample_rate = recordings.sample_rate_after(trained_at)
    matrix = np.zeros((1 + mel.n_fft // 2, mel.n_mels))
    for mels, bins, weights in mel.filters(sample_rate):
        matrix[bins, mels] = weights
    bins_hz = np.fft.rfftfreq(mel.n_fft, 1 / sample_rate)
    for op in recordings.ops:
        if isinstance(op, BandPassOp):
            design = op.design(sample_rate)
            if design is not None:
                _, gain = scipy.signal.sosfreqz(design[0], bins_hz, fs=sample_rate)
                matrix *= np.square(np.abs(gain))[:, None]
        elif op.changes_samples and not isinstance(op, ResampleOp):
            raise TypeError(
                f"{type(op).__name__} cannot be exported. Leave that step out and do "
                "what it does before the file, or use inputs='segments'."
            )
    return sample_rate, matrix.astype(np.float32)


def _as_json(notes):
    return {name: json.dumps(value) for name, value in notes.items()}
