"""Teach a classifier with its own predictions of unlabelled recordings."""

import time
import warnings
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.utils.validation import check_is_fitted

from skbird.base import MultilabelMetaMixin
from skbird.semi_supervised._checks import check_parameters
from skbird.semi_supervised._pseudo_labels import (
    PARAMETER_CONSTRAINTS,
    make_pseudo_labels,
)
from skbird.semi_supervised._rounds import (
    HISTORY,
    TrainingRows,
    describe_round,
    print_round,
    warn_of_labels_everywhere,
    warn_of_lost_species,
)
from skbird.semi_supervised._students import (
    choose_mix,
    fit_labelled,
    make_student,
    teach_out_of_fold,
)
from skbird.utils._nested import check_same_species, predict_matrix, species_of
from skbird.utils._rows import assign_column, check_targets
from skbird.utils._sklearn_compat import HasMethods, Interval, StrOptions


class PseudoLabelSelfTraining(MultilabelMetaMixin, BaseEstimator):
    """Learn from unlabelled rows by predicting them and training on the predictions.

    The teacher, at first the estimator fitted on the labelled rows, predicts the
    unlabelled ones; its predictions become targets (see :func:`make_pseudo_labels`); a
    student, a clone of the estimator, is fitted on the labelled rows and on these; it
    is the teacher of the next round. The report on BirdCLEF 2025 had one round;
    winners of BirdCLEF 2025 and 2026 had two to four.

    Rows of y that are -1 throughout are unlabelled.

    Parameters
    ----------
    estimator : estimator object
        A multi-label classifier with ``predict_proba``, usually a whole pipeline. Soft
        targets need one that takes fractions, as skbird's networks do; for others set
        `hard_threshold` to `soft_threshold`.
    soft_threshold : float in [0, 1], default=0.05
        Below it a species counts as absent.
    hard_threshold : float in [0, 1], default=0.25
        From it on a species counts as present; between the two the probability is a
        soft target. None keeps all soft.
    proba_power : float > 0 or sequence of them, default=1.0
        Power that probabilities are raised to first; a sequence has one for each round,
        such as ``(1, 1/0.65, 1/0.55, 1/0.6)`` of BirdCLEF 2025's first place.
    max_iter : int >= 1, default=2
        Rounds.
    tol : float >= 0, default=0.001
        Stop when pseudo-labels change by less than this from one round to the next, on
        average over the species of all rows that have some.
    max_per_species : int >= 1, default=None
        Pseudo-labelled rows that a species may have; the most certain ones are kept.
    max_mass : float > 0, default=None
        Highest sum of all pseudo-labels, as a multiple of the sum of the true labels.
        BirdCLEF 2026's first place stayed below 1.
    mix : float in [0, 1], "auto" or None, default=None
        For networks of skbird: do not train on pseudo-labelled rows by themselves, but
        mix one into this share of the labelled segments, and unite their labels (see
        :class:`skbird.nn.PseudoLabelMix`). With 1.0 it gained BirdCLEF 2025's first
        place 0.026; training on them by themselves gained nothing. "auto": 1.0 if the
        estimator has such a network, else None. See the Notes.
    student_params : dict, default=None
        Parameters that are set on students only: noise that makes them better than
        their teacher, such as ``{"net__drop_path_rate": 0.15}``.
    teacher : fitted estimator, default=None
        Predicts in the first round, in place of the estimator fitted on the labelled
        rows: an ensemble, for instance, or a pretrained model
        (:class:`skbird.encoders.PretrainedScores`).
    cv : int >= 2, default=None
        Predict the unlabelled rows for the next round out of fold, with this many
        students each of which has not seen the pseudo-labels of the files it predicts.
        None: the student predicts what it was trained on, which is faster and repeats
        the teacher's errors. If X does not name files, rows are split.
    warm_start : bool, default=False
        Whether a student goes on from its teacher's state. All parameters of the
        estimator named ``warm_start`` are set for that.
    verbose : int, default=1
        0 prints no line per round.

    Attributes
    ----------
    estimator_ : estimator object
        The last student. The first teacher if there were no pseudo-labels.
    mix_ : float or None
        `mix`, or what "auto" became.
    pseudo_labels_ : ndarray or DataFrame of shape (n_rows, n_species)
        The targets that `estimator_` was fitted on, with those of labelled rows as they
        were given. -1 in unlabelled rows that were not used.
    labeled_iter_ : ndarray of shape (n_rows,)
        Round in which a row got a label first: 0 for labelled ones, -1 for never.
    history_ : DataFrame
        A line per round: ``n_rows`` pseudo-labelled; ``n_hard`` and ``n_soft`` labels;
        ``n_zero``, rows in which all is below the soft threshold, and ``n_left_out``,
        those beyond a limit or unreadable; ``labels_per_row``; ``mass``, the sum of the
        labels; ``n_species`` with at least one; ``change`` from the round before (NaN
        in the first); ``seconds``, the student's training included.
    coverage_ : DataFrame of shape (n_rounds, n_species)
        Rows of each species with a hard or soft label.
    n_iter_ : int
        Rounds that were trained.
    termination_condition_ : {"max_iter", "no_change", "no_pseudo_labels", \
            "no_unlabeled_rows"}
        Why it ended.
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    species_ : ndarray of str or of int
        The species in the order of the columns of ``predict_proba``.

    See Also
    --------
    sklearn.semi_supervised.SelfTrainingClassifier : For one label per row.

    Notes
    -----
    For networks, ``mix=1.0, hard_threshold=None, proba_power=2.0`` gained most in
    ``benchmarks/semi_supervised.py``: in as many steps, macro ROC-AUC on soundscapes of
    other places rose from 0.928 to 0.951 and 0.962 in two rounds on synthetic sets,
    and from 0.651 to 0.757 and 0.781 where birds call in real soundscapes. A good part
    of the second gain, but none of the first, comes from the background alone. That is
    why ``mix="auto"`` is 1.0 for networks. It is not chosen by trying: each candidate
    would cost a training, and the labelled rows to judge it on, being focal recordings
    mostly, would not tell which student hears more in soundscapes.

    References
    ----------
    Xie et al., "Self-training with Noisy Student improves ImageNet classification",
    CVPR 2020. Babych, first places of BirdCLEF 2025 and 2026 (Kaggle).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbird.semi_supervised import PseudoLabelSelfTraining
    >>> X = np.array([[0.0], [1.0], [5.0], [6.0], [0.5], [5.5]])
    >>> Y = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [-1, -1], [-1, -1]])
    >>> model = PseudoLabelSelfTraining(
    ...     KNeighborsClassifier(2), soft_threshold=0.5, hard_threshold=0.5, verbose=0
    ... ).fit(X, Y)
    >>> model.pseudo_labels_[4:]
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    >>> model.termination_condition_
    'no_change'
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        **PARAMETER_CONSTRAINTS,
        "proba_power": [Interval(Real, 0, None, closed="neither"), "array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_mass": [Interval(Real, 0, None, closed="neither"), None],
        "mix": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"}), None],
        "student_params": [Mapping, None],
        "teacher": [HasMethods(["predict_proba"]), None],
        "cv": [Interval(Integral, 2, None, closed="left"), None],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator,
        *,
        soft_threshold=0.05,
        hard_threshold=0.25,
        proba_power=1.0,
        max_iter=2,
        tol=1e-3,
        max_per_species=None,
        max_mass=None,
        mix=None,
        student_params=None,
        teacher=None,
        cv=None,
        warm_start=False,
        verbose=1,
    ):
        self.estimator = estimator
        self.soft_threshold = soft_threshold
        self.hard_threshold = hard_threshold
        self.proba_power = proba_power
        self.max_iter = max_iter
        self.tol = tol
        self.max_per_species = max_per_species
        self.max_mass = max_mass
        self.mix = mix
        self.student_params = student_params
        self.teacher = teacher
        self.cv = cv
        self.warm_start = warm_start
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, sample_weight=None, label_weight=None, **fit_params):
        """Fit teachers and students in turn.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            Labelled and unlabelled rows.
        y : array-like or DataFrame of shape (n_rows, n_species)
            Their labels; -1 throughout in unlabelled rows.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of all rows, for what is at the end of `estimator`, whatever its
            step is called.
        label_weight : array-like of shape (n_rows, n_species), default=None
            Weights of the labels, likewise: networks multiply the loss by them. Those
            of unlabelled rows are for their pseudo-labels.
        **fit_params
            Passed on to ``estimator.fit``. What has one entry per row is cut to the
            rows that are trained on.

        Returns
        -------
        self : PseudoLabelSelfTraining

        Raises
        ------
        ValueError
            If no row has labels, the estimator refuses soft targets or
            `student_params`, the teacher knows other species, or these in another
            order, or parameters exclude each other.

        Warns
        -----
        UserWarning
            If no row is unlabelled, nearly all pseudo-labels are positive, or a species
            with labelled rows has no pseudo-label, but had some in the round before.
        """
        powers = check_parameters(self)
        fit_params = self._params_of_fit(
            X, fit_params, sample_weight=sample_weight, label_weight=label_weight
        )
        _, n_species = check_targets(X, y)
        check_same_species("The teacher", species_of(self.teacher), y)
        target = np.asarray(y, dtype=np.float32)
        unlabelled = (target == -1).all(axis=1)
        hidden = np.flatnonzero(unlabelled)
        if unlabelled.all():
            raise ValueError(
                f"All {len(target)} rows of y are -1, unlabelled: there is nothing to "
                "begin with. Add rows with labels."
            )
        if len(hidden) == 0:
            warnings.warn(
                "No row of y is -1, unlabelled: the estimator is fitted once.",
                stacklevel=2,
            )
        self.species_ = np.asarray(getattr(y, "columns", np.arange(n_species)))
        self.classes_ = np.tile([0, 1], (n_species, 1))
        self.n_iter_ = 0
        self.mix_ = choose_mix(self.estimator, self.mix)
        if self.mix_ is not None:
            if isinstance(X, pd.DataFrame) and "pseudo" in X:
                raise ValueError(
                    f"X has a column 'pseudo', in which mix={self.mix!r} would say "
                    "which rows have pseudo-labels. Rename it."
                )
            X = assign_column(X, "pseudo", unlabelled)
        data = TrainingRows(X, y, hidden, fit_params)
        labels = self._self_train(data, target, powers)
        self.pseudo_labels_ = data.like_y(labels)
        return self

    def _self_train(self, data, target, powers):
        """Run the rounds; return the targets of the last student."""
        hidden, labels = data.hidden, target.copy()
        self.labeled_iter_ = np.where((target == -1).all(axis=1), -1, 0)
        self.termination_condition_ = "max_iter"
        if len(hidden) == 0:
            self.termination_condition_, powers = "no_unlabeled_rows", []
        student, lines, coverage = None, [], []
        if self.teacher is None or len(hidden) == 0:
            student = self._train(data, labels)
        for power in powers:
            start = time.perf_counter()
            # A power above 1 lowers doubtful probabilities most: their errors would be
            # learnt by the student, and grow from round to round.
            proba = self._teach(data, labels, student) ** power
            pseudo = self._pseudo_labels(proba, target)
            line = describe_round(pseudo, labels[hidden], proba, self.soft_threshold)
            lines.append(line)
            coverage.append((pseudo > 0).sum(axis=0))
            warn_of_labels_everywhere(len(lines), line, pseudo, self.soft_threshold)
            if line["n_rows"] == 0:
                self.termination_condition_ = "no_pseudo_labels"
            elif line["change"] < self.tol:  # never in the first, where it is NaN
                self.termination_condition_ = "no_change"
            else:
                self.n_iter_ += 1
                warn_of_lost_species(coverage, target, self.species_, power)
                # All are replaced, not added to: a teacher's errors can be unlearnt.
                labels[hidden] = pseudo
                is_first = (pseudo >= 0).any(axis=1) & (self.labeled_iter_[hidden] < 0)
                self.labeled_iter_[hidden[is_first]] = self.n_iter_
                if self.cv is None:
                    student = self._train(data, labels, student)
            line["seconds"] = time.perf_counter() - start
            if self.verbose:
                silent = self.species_[coverage[-1] == 0]
                print_round(len(lines), line, silent, self.termination_condition_)
            if self.termination_condition_ != "max_iter":
                break
        # The students of folds were for the next labels; the last learns from all rows.
        if student is None or (self.cv is not None and self.n_iter_):
            student = self._train(data, labels)
        self.estimator_ = student
        rounds = pd.RangeIndex(1, len(lines) + 1, name="round")
        self.history_ = pd.DataFrame(lines, index=rounds, columns=HISTORY)
        self.coverage_ = pd.DataFrame(coverage, rounds, self.species_)
        return labels

    def _train(self, data, labels, earlier=None):
        """Fit the first teacher, or, once there are pseudo-labels, a student."""
        if self.n_iter_ == 0:
            return fit_labelled(clone(self.estimator), data, labels)
        student = make_student(
            self.estimator,
            params=self.student_params,
            mix=self.mix_,
            earlier=earlier if self.warm_start else None,
        )
        return fit_labelled(student, data, labels)

    def _teach(self, data, labels, student):
        """Predict the unlabelled rows."""
        if self.n_iter_ and self.cv is not None:
            return teach_out_of_fold(self._train, self._predict, data, labels, self.cv)
        if self.n_iter_ == 0 and self.teacher is not None:
            student = self.teacher
        return self._predict(student, data.take(data.hidden)[0])

    def _pseudo_labels(self, proba, target):
        """Turn the teacher's probabilities, raised to their power, into targets."""
        max_mass = None
        if self.max_mass is not None:
            max_mass = self.max_mass * np.nansum(target[self.labeled_iter_ == 0])
        return make_pseudo_labels(
            proba,
            soft_threshold=self.soft_threshold,
            hard_threshold=self.hard_threshold,
            max_per_species=self.max_per_species,
            max_mass=max_mass,
        )

    def _predict(self, model, X):
        return predict_matrix(model, X, len(self.species_))

    def predict_proba(self, X):
        """Predict the probability of each species.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes

        Returns
        -------
        proba : ndarray of shape (n_rows, n_species)
            NaN for rows that could not be read.
        """
        check_is_fitted(self)
        return self._predict(self.estimator_, X)

    def predict(self, X):
        """Predict which species are present, as `estimator_` does.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes

        Returns
        -------
        labels : ndarray of int, shape (n_rows, n_species)
            0 or 1.
        """
        check_is_fitted(self)
        if len(X) == 0:  # which many estimators refuse
            return np.empty((0, len(self.species_)), np.int64)
        labels = np.asarray(self.estimator_.predict(X), dtype=np.int64)
        # Forests flatten a single species.
        return labels.reshape(-1, len(self.species_))
