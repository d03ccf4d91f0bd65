"""What every encoder must pass on sounds that are known exactly."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations
from threading import Barrier

import numpy as np

from skbird.encoders._front_ends import resample_as
from skbird.encoders._probe_sounds import calls, extremes, tones

_SAME = 1e-3  # relative distance of what should be the same
_CLOSE = 0.02  # of what is nearly identical
_MOVED = 0.05  # of what has changed
_FEATURES = ("embedding", "spatial", "frames", "scores")


def check_runs(encoder):
    """Run, and look at the shapes of the outputs."""
    encoder.run(calls(encoder.spec)[:2])
    return True, f"{', '.join(encoder.spec.outputs)} as the spec says"


def check_finite(encoder):
    """Look for NaN and infinity."""
    bad = []
    for name, window in extremes(encoder.spec).items():
        values = encoder.run(window[None])
        bad += [f"{r} of {name}" for r, v in values.items() if not np.isfinite(v).all()]
    if bad:
        return False, (
            f"NaN or infinite values: {', '.join(bad)}. Silence must not be divided by "
            "its level, and float16 ends at 65504: use the float32 file."
        )
    return True, "silence, clicks and full scale give numbers"


def check_varied(encoder):
    """Tell different sounds apart."""
    values = features(
        encoder, np.concatenate([calls(encoder.spec), tones(encoder.spec)])
    )
    return judge_varied(values, "sounds that are nothing like each other")


def judge_varied(values, what):
    """Return the problem, if embeddings of different sounds are nearly the same.

    Parameters
    ----------
    values : ndarray of shape (n, n_values)
    what : str
        What they are of.
    """
    pairs = np.array(list(combinations(range(len(values)), 2)))
    apart = distances(values[pairs[:, 0]], values[pairs[:, 1]])
    share = np.mean(apart < _CLOSE)
    if share > 1 / 3:
        return False, (
            f"{share:.0%} of the pairs of {what} have nearly identical embeddings. The "
            "model does not hear its input: look at input_name, input_type, level and "
            "the range of the samples (-1 to 1), and which output is the embedding."
        )
    return True, f"{what} lie {np.median(apart):.2g} apart (median)"


def check_pitch(encoder):
    """Tell a tone from one an octave up."""
    here, again, up = (
        features(encoder, tones(encoder.spec, octave, seed))
        for octave, seed in ((0, 0), (0, 1), (1, 0))
    )
    moved, same = np.median(distances(here, up)), np.median(distances(here, again))
    if moved < max(_MOVED, 1.2 * same):
        return False, (
            f"A tone an octave up moves the output by {moved:.1%}, the same tone over "
            f"another noise by {same:.1%}: the model does not hear pitch. Is "
            f"sample_rate={encoder.spec.sample_rate} right, and the input in samples?"
        )
    return True, f"an octave moves the output by {moved:.0%}, noise by {same:.0%}"


def check_resampled(encoder):
    """Compare the same sounds from recordings of several rates."""
    spec = encoder.spec
    direct = features(encoder, calls(spec))
    up = features(encoder, tones(spec, 1))
    octave = np.median(distances(features(encoder, tones(spec)), up))
    for rate in (2 * spec.sample_rate, spec.sample_rate * 3 // 4):
        windows = [
            resample_as(sound, rate, spec.sample_rate, spec.resampler)
            for sound in calls(spec, rate)
        ]
        n = spec.window_samples
        windows = np.stack([np.pad(w, (0, max(0, n - len(w))))[:n] for w in windows])
        moved = np.median(distances(direct, features(encoder, windows)))
        if moved > max(_CLOSE, octave / 3):
            return False, (
                f"The same sounds recorded at {rate} Hz move the output by {moved:.0%} "
                f"(an octave: {octave:.0%}). Choose another resampler in the spec."
            )
    return True, "recordings of other sample rates give the same"


def check_level(encoder):
    """Change levels, which must matter as the spec says."""
    spec = encoder.spec
    bare = encoder.with_spec(replace(spec, level="none"))
    sounds = 0.5 * np.concatenate([calls(spec), tones(spec)])
    values, softer, offset = (
        features(bare, changed) for changed in (sounds, 0.1 * sounds, sounds + 0.3)
    )
    gain_in_graph = float(np.median(distances(values, softer)))
    offset_in_graph = float(np.median(distances(values, offset)))
    if spec.level != "none":
        is_moot = gain_in_graph < _SAME * 5
        if spec.level == "mean_peak":
            is_moot &= offset_in_graph < _SAME * 5
        if is_moot:
            return False, (
                f"The model levels windows itself: sound 20 dB softer moves its output "
                f"by {gain_in_graph:.2%}. level={spec.level!r} is not how it was "
                "trained: put level='none' in the spec."
            )
        return True, f"level={spec.level!r} matters ({gain_in_graph:.0%} for 20 dB)"
    if spec.level_sensitive:
        return True, f"hears level, as said ({gain_in_graph:.0%} for 20 dB)"
    for what, moved in (
        ("Sound 20 dB softer", gain_in_graph),
        ("A constant offset of 0.3", offset_in_graph),
    ):
        if moved > _MOVED:
            return False, (
                f"{what} moves the output by {moved:.0%}, of which the spec says "
                "nothing. If the authors level each window, put level='peak' or "
                "'mean_peak' in the spec; if the model is meant to hear it, "
                "level_sensitive=true."
            )
    return True, f"20 dB softer moves the output by {gain_in_graph:.1%}"


def check_batch(encoder):
    """Run windows alone, among others, and in another order."""
    sounds = calls(encoder.spec)[:4]
    order = np.random.default_rng(0).permutation(len(sounds))
    together = encoder.run(sounds)
    one_by_one = [encoder.run(sound[None]) for sound in sounds]
    alone = {role: np.concatenate([v[role] for v in one_by_one]) for role in together}
    shuffled = encoder.run(sounds[order])
    back = {role: values[np.argsort(order)] for role, values in shuffled.items()}
    for what, other in (("alone", alone), ("in another order", back)):
        apart = _apart(together, other)
        if not apart < _SAME:
            return False, (
                f"Windows get other values {what} than in one batch (by {apart:.1%}). "
                "Does the model normalize over the batch, or is it in training mode?"
            )
    return True, "each window by itself"


def check_repeatable(encoder):
    """Run the same twice."""
    sounds = calls(encoder.spec)[:4]
    apart = _apart(encoder.run(sounds), encoder.run(sounds))
    if not apart < _SAME / 10:
        return False, (
            f"The same windows get other values the second time (by {apart:.1%}). Is "
            "dropout on, or does the model keep a state?"
        )
    return True, "twice the same"


def check_threads(encoder):
    """Run in two threads at once."""
    sounds = calls(encoder.spec)
    halves = [sounds[:3], sounds[3:6]]
    expected = [encoder.run(half) for half in halves]
    both = Barrier(2)

    def run(half):
        both.wait()
        return encoder.run(half)

    with ThreadPoolExecutor(2) as pool:
        tasks = [pool.submit(run, halves[k % 2]) for k in range(6)]
        try:
            apart = [_apart(expected[k % 2], t.result()) for k, t in enumerate(tasks)]
            problem = f"other values (by {np.max(apart):.1%})"
        except Exception as exc:  # of what the model's function mixes up
            apart, problem = [np.inf], f"an error ({exc!s:.200})"
    if not np.max(apart) < _SAME:
        return False, (
            f"Two threads at once get {problem}, and one does not. Give the function a "
            "lock, or a model for each thread."
        )
    return True, "two threads get what one gets"


def check_scores(encoder):
    """Compare the range of scores with the activation."""
    spec = encoder.spec
    scores = encoder.run(np.concatenate([calls(spec), tones(spec)]), ["scores"])
    scores = scores["scores"].reshape(-1, spec.outputs["scores"].shape[-1])
    low, high = scores.min(), scores.max()
    within = low >= -_SAME and high <= 1 + _SAME
    sums_to_1 = np.allclose(scores.sum(axis=1), 1, atol=0.01) and scores.shape[1] > 1
    found = f"scores from {low:.3g} to {high:.3g}"
    if spec.activation == "none" and not within:
        return False, (
            f"The {found} are no probabilities, though activation='none' says so. Put "
            "activation='sigmoid' in the spec, or 'softmax' if classes exclude each "
            "other."
        )
    if spec.activation != "none" and within:
        sums = ", and sum to 1" if sums_to_1 else ""
        return False, (
            f"The {found} are within [0, 1] already{sums}: activation="
            f"{spec.activation!r} would be applied twice. Put activation='none' in the "
            "spec."
        )
    if np.ptp(scores, axis=0).max() < _SAME:
        return False, f"The {found} are the same for all sounds."
    sums = encoder.probabilities(scores).sum(axis=1)
    if spec.activation == "softmax" and not np.allclose(sums, 1, atol=0.01):
        return False, f"Probabilities sum to {sums.min():.3g}, not to 1, after softmax."
    return True, f"{found}, activation={spec.activation!r}"


def features(encoder, windows):
    """Return what sums a window up, (n, n_values)."""
    role = next(role for role in _FEATURES if role in encoder.spec.outputs)
    return encoder.run(windows, [role])[role].reshape(len(windows), -1)


def _apart(one, other):
    """Return how far outputs of the same windows are apart, the largest of all."""
    found = []
    for role, values in one.items():
        n = len(values)
        apart = distances(values.reshape(n, -1), other[role].reshape(n, -1))
        found.append(float(apart.max()))
    return np.max(found)  # NaN is the largest


def distances(one, other):
    """Return how far vectors are apart, of their length: 0 is the same.

    Parameters
    ----------
    one, other : ndarray of shape (n, n_values)

    Returns
    -------
    ndarray of shape (n,)
    """
    lengths = np.linalg.norm(one, axis=1) + np.linalg.norm(other, axis=1)
    apart = np.linalg.norm(one - other, axis=1)
    return np.divide(2 * apart, lengths, out=np.zeros_like(apart), where=lengths > 0)
