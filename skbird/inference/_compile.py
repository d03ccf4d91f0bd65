"""Make a fitted pipeline ready for prediction on CPUs."""

import copy
import sys

import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skbird.data import Spectrograms
from skbird.encoders import EmbeddingEncoder, PretrainedScores, load_encoder
from skbird.inference._engines import check_engine, has_fast_bf16
from skbird.inference._network import CompiledNetwork, Program
from skbird.inference._pipeline import CompiledPipeline
from skbird.inference._probe import CompiledProbe, PooledHead, linear_of
from skbird.preprocessing import LogMel
from skbird.utils._nested import named_steps_of, parts_of, predict_matrix, species_of
from skbird.utils._params import AT_LEAST_ONE, NOT_NEGATIVE, check_params

# Largest difference of a probability that is taken for rounding.
_TOLERANCES = {"float32": 1e-4, "bfloat16": 0.05}
_CONSTRAINTS = {
    "backend": [str],
    "precision": [str],
    "tolerance": [NOT_NEGATIVE, None],
    "batch_size": [AT_LEAST_ONE, None],
    "n_threads": [AT_LEAST_ONE, None],
}
_N_COMPARED = 16  # segments, if no rows are given


def compile_pipeline(
    model,
    X=None,
    *,
    backend="openvino",
    precision="auto",
    tolerance=None,
    batch_size=None,
    n_threads=None,
):
    """Compile a fitted pipeline to predict faster on CPUs, and without torch.

    Parameters
    ----------
    model : fitted estimator
        A pipeline that ends in a network of `skbird.nn`, or has an `EmbeddingEncoder`;
        a network; `PretrainedScores`; an ensemble; or a meta-estimator around one of
        them, such as `SoundscapeReweighter`. It stays as it is.
    X : sequence of paths, DataFrame or Recordings, default=None
        Rows to compare old and new on. None compares each network, and each linear
        head of an encoder, on noise.
    backend : {"openvino", "onnxruntime", "torch"}, default="openvino"
        The engine that runs the networks. ``pip install 'skbird[cpu]'`` brings the
        first two, which need no torch. "torch" is slower, for want of anything else.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Number format of the networks. "auto" is bfloat16 with OpenVINO on CPUs that
        compute in it, if the difference is within `tolerance`, else float32. On other
        CPUs OpenVINO computes in float32 whatever
        it is asked, also what was compiled elsewhere.
    tolerance : float >= 0, default=None
        Largest difference of a probability that is accepted. None: 1e-4 for float32,
        0.05 for bfloat16.
    batch_size : int >= 1, default=None
        Segments in a call of a network. None: 4, with torch 32.
    n_threads : int >= 1, default=None
        Threads of the networks. None: all cores.

    Returns
    -------
    compiled : estimator
        With the same ``predict_proba``, ``predict`` and ``species_``, and
        ``max_difference_``. It pickles, and loads and predicts where torch is missing.
        Its front end uses no cache. Members of an ensemble that have the same front end
        share it: each file is then decoded once.

    Raises
    ------
    TypeError
        If there is no network in `model` where one is needed.
    ValueError
        If a probability differs by more than `tolerance`.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from sklearn.pipeline import make_pipeline
    >>> from skbird.inference import compile_pipeline
    >>> from skbird.nn import CNNClassifier
    >>> from skbird.preprocessing import LogMel
    >>> path = Path(tempfile.mkdtemp()) / "frog.wav"
    >>> rng = np.random.default_rng(0)
    >>> soundfile.write(path, 0.1 * rng.standard_normal(32_000 * 5), 32_000)
    >>> net = CNNClassifier("test_efficientnet", backbone_weights=None, max_epochs=1,
    ...                     random_state=0, verbose=0)
    >>> pipe = make_pipeline(LogMel(n_mels=32), net).fit([path], [[0, 1]])
    >>> compiled = compile_pipeline(pipe, [path], precision="float32")
    >>> bool(compiled.max_difference_ < 1e-4)
    True
    """
    check_params(
        "compile_pipeline",
        _CONSTRAINTS,
        backend=backend,
        precision=precision,
        tolerance=tolerance,
        batch_size=batch_size,
        n_threads=n_threads,
    )
    if not hasattr(model, "predict_proba"):
        raise TypeError(
            f"model={model!r:.100} must be a fitted classifier with predict_proba."
        )
    is_free = precision == "auto"
    if is_free:
        is_fast = backend == "openvino" and _installed(backend) and has_fast_bf16()
        precision = "bfloat16" if is_fast else "float32"
    check_engine(backend, precision)
    limit = _TOLERANCES[precision] if tolerance is None else tolerance
    check_is_fitted(model)
    options = {
        "backend": backend,
        "precision": precision,
        "batch_size": batch_size,
        "n_threads": n_threads,
    }
    differences = []
    compiled = _compile(model, options, differences)
    if X is not None:
        new = compiled.predict_proba(X)
        old = predict_matrix(model, X, new.shape[1])
        differences = [float(np.nanmax(np.abs(new - old), initial=0.0))]
    compiled.max_difference_ = max(differences, default=0.0)
    if not compiled.max_difference_ <= limit:
        if is_free and precision != "float32":
            options |= {"precision": "float32", "tolerance": tolerance}
            return compile_pipeline(model, X, **options)
        raise ValueError(
            f"With precision={precision!r} a probability differs by "
            f"{compiled.max_difference_:.2g} from that of the model, more than "
            f"tolerance={limit:g}. Use precision='float32', another backend, or "
            "raise the tolerance if the ranking of your rows does not change."
        )
    return compiled


def _installed(backend):
    try:
        __import__(backend)
    except ImportError:
        return False
    return True


def _compile(model, options, differences):
    """Compile what is fitted in `model`, from the outside inwards."""
    # Without torch there is no such network.
    SegmentNet = getattr(sys.modules.get("skbird.nn"), "SegmentNet", ())
    if isinstance(model, SegmentNet):
        return _compile_network(model, options, differences)
    if isinstance(model, PretrainedScores):
        return copy.copy(model).set_params(cache_dir=None)
    if isinstance(model, Pipeline):
        if any(isinstance(step, EmbeddingEncoder) for _, step in named_steps_of(model)):
            return _compile_probe(model, differences)
        *front, (_, last) = named_steps_of(model)
        try:
            network = _compile(last, options, differences)
        except TypeError as exc:
            raise TypeError(
                f"The pipeline ends in {type(last).__name__}: {exc}"
            ) from exc
        if not front:
            return network
        if any(getattr(part, "voting", None) == "rank" for part in parts_of(network)):
            raise TypeError(
                "voting='rank' ranks all rows, and a pipeline passes them on in "
                "blocks. Put the ensemble around whole pipelines."
            )
        return CompiledPipeline(_compile_front_end(front), network)
    if isinstance(model, FrozenEstimator):
        return _compile(model.estimator, options, differences)
    if hasattr(model, "best_estimator_"):
        return _compile(model.best_estimator_, options, differences)
    if hasattr(model, "estimators_"):
        members = [_compile(m, options, differences) for m in model.estimators_]
        return _put_together(model, members)
    if hasattr(model, "estimator_"):
        inner = _compile(model.estimator_, options, differences)
        around = copy.copy(model)
        around.estimator = around.estimator_ = inner
        if hasattr(model, "teacher"):
            around.teacher = None  # a network that needs torch, and is not asked again
        return around
    raise TypeError(
        f"{type(model).__name__} is no network of skbird.nn, and holds none in "
        "estimator_ or estimators_. Other classifiers need no compiling."
    )


def _compile_probe(model, differences):
    """Return the pipeline of an encoder, with its head as arrays if it is linear."""
    names, steps = zip(*named_steps_of(model), strict=True)
    place = [isinstance(step, EmbeddingEncoder) for step in steps].index(True)
    encoder, after = steps[place], steps[place + 1 :]
    if encoder.output not in ("embedding", "windows"):
        raise TypeError(
            f"EmbeddingEncoder(output={encoder.output!r}) cannot be compiled. Predict "
            "by the pipeline as it is; it needs no torch."
        )
    if not after:
        raise TypeError("The pipeline ends in EmbeddingEncoder: no classifier follows.")
    head = (
        after[-1]
        if len(after) == 1
        else Pipeline(list(zip(names[place + 1 :], after, strict=True)))
    )
    if encoder.output == "embedding":
        linear, species = linear_of(head), species_of(head)
        if linear is not None and species is not None:
            threshold = getattr(after[-1], "threshold", 0.5)
            options = {"pooling": encoder.pooling, "threshold": threshold}
            probe = CompiledProbe(*linear, species, **options)
            differences.append(_difference(probe, head))
            head = probe
        else:
            head = PooledHead(head, pooling=encoder.pooling)
    filters = copy.deepcopy(list(zip(names, steps, strict=True))[:place])
    opened = getattr(encoder, "encoder_", None) or load_encoder(encoder.encoder)
    last = clone(encoder).set_params(encoder=opened, output="windows", cache_dir=None)
    return CompiledPipeline(Pipeline([*filters, (names[place], last)]), head)


def _difference(probe, head):
    """Return how much the probabilities of noise for features differ at most."""
    shape = _N_COMPARED, probe.coef.shape[1]
    noise = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    new = probe.predict_proba(noise)
    return float(np.abs(new - predict_matrix(head, noise, new.shape[1])).max())


def _compile_front_end(steps):
    """Return a pipeline of the steps that the last one, a LogMel, runs."""
    if not isinstance(steps[-1][1], LogMel):
        last = type(steps[-1][1]).__name__
        raise TypeError(
            f"Before the network of a pipeline stands {last}; a LogMel is needed there."
        )
    # Filters keep what they learned; LogMel learns nothing.
    *filters, (name, logmel) = steps
    front_end = Pipeline([*copy.deepcopy(filters), (name, clone(logmel))])
    for _, step in front_end.steps:
        if hasattr(step, "cache_dir"):
            step.set_params(cache_dir=None)
    return front_end


def _put_together(ensemble, members):
    """Return the ensemble with compiled members, which share a front end if alike."""
    fronts = {joblib.hash(getattr(member, "front_end", None)) for member in members}
    # Ranks are among all rows; blocks would make them ranks within a block.
    shared = (
        len(fronts) == 1
        and isinstance(members[0], CompiledPipeline)
        and getattr(ensemble, "voting", None) != "rank"
    )
    inner = [member.network for member in members] if shared else members
    around = copy.copy(ensemble)
    around.estimators_ = inner
    if hasattr(ensemble, "estimators"):
        names = [name for name, member in ensemble.estimators if member != "drop"]
        around.estimators = list(zip(names, inner, strict=True))
        around.named_estimators_ = dict(around.estimators)
        if getattr(ensemble, "voting", None) == "auto":
            around.voting = ensemble.voting_
        if ensemble.weights_ is not None:
            around.weights, around.per_species = ensemble.weights_, False
    else:
        around.estimator = inner[0]
    return CompiledPipeline(members[0].front_end, around) if shared else around


def _compile_network(net, options, differences):
    from skbird.inference import _export

    check_is_fitted(net, ["species_", "module_"])  # some pipelines do not tell
    of_torch = options["backend"] == "torch"
    export = _export.network_to_torch if of_torch else _export.network_to_onnx
    steps = getattr(net, "frame_scores", False)
    compiled = CompiledNetwork(
        Program(export(net, steps=steps)),
        net.format_,
        net.species_,
        net.step_pooling if steps else net.pooling,
        tta_shifts_s=net.tta_shifts_s,
        frame_scores=steps,
        threshold=net.threshold,
        weights_license=net.weights_license_,
        **options,
    )
    noise = _noise(net.format_)
    old, new = net.predict_proba(noise), compiled.predict_proba(noise)
    differences.append(float(np.abs(new - old).max()))
    return compiled


def _noise(format):
    """Return spectrograms of noise with a note here and there."""
    rng = np.random.default_rng(0)
    shape = _N_COMPARED, format.frames_per_segment, format.n_mels
    frames = rng.normal(-60, 6, shape)
    frames += 30 * (rng.random((_N_COMPARED, 1, format.n_mels)) > 0.9)
    rows = {"path": [f"noise {number}" for number in range(_N_COMPARED)]}
    return Spectrograms(
        pd.DataFrame(rows),
        list(frames.astype(np.float16)),
        [shape[1]] * _N_COMPARED,
        format,
    )
