"""Embeddings of training recordings and of soundscapes, as a map."""

from numbers import Integral

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from skbird.inspection._figures import COLOURS, axes_for
from skbird.inspection._row_views import embed_rows, pooled
from skbird.utils._params import MOST, as_floats, check_params
from skbird.utils._sklearn_compat import Interval
from skbird.utils._text import counted

_METHODS = ("pca", "umap")


class EmbeddingMapDisplay:
    """Draw embeddings of training recordings and of soundscapes as a map.

    If the two clouds lie apart, soundscapes differ from the recordings that the model
    was trained on. The separability says how much: it is the cross-validated ROC-AUC of
    a linear classifier that tells the two apart, 0.5 if it cannot, 1 if it always can.

    Parameters
    ----------
    train_points, soundscape_points : ndarray of shape (n_points, 2)
        Positions of the embeddings on the map.
    separability : float
        ROC-AUC in [0, 1] with which the two are told apart.
    method : str, default="pca"
        Method that projected the embeddings to two dimensions.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
    ax_ : matplotlib.axes.Axes

    Examples
    --------
    >>> import matplotlib, numpy as np
    >>> matplotlib.use("Agg")
    >>> from skbird.inspection import EmbeddingMapDisplay
    >>> rng = np.random.default_rng(0)
    >>> train = rng.standard_normal((200, 16))
    >>> soundscapes = rng.standard_normal((200, 16)) + 2
    >>> display = EmbeddingMapDisplay.from_embeddings(train, soundscapes)
    >>> round(display.separability, 2)
    1.0
    """

    def __init__(self, train_points, soundscape_points, separability, method="pca"):
        self.train_points = train_points
        self.soundscape_points = soundscape_points
        self.separability = separability
        self.method = method

    @classmethod
    def from_estimator(cls, estimator, X_train, X_soundscapes, **options):
        """Draw the embeddings of a network, or of a pretrained model.

        Parameters
        ----------
        estimator : fitted model
            A `CNNClassifier` or `SEDClassifier`, or a pipeline that ends with one; an
            :class:`skbird.encoders.EmbeddingEncoder`, or a model with one in it, whose
            features of rows are then drawn; or a
            :class:`skbird.encoders.PretrainedScores`.
        X_train, X_soundscapes : what the estimator predicts
            Rows that it was trained on, and rows of soundscapes.
        **options
            Options of `from_embeddings`.

        Returns
        -------
        EmbeddingMapDisplay

        Raises
        ------
        TypeError
            If there is no network and no pretrained model.
        ValueError
            If the pretrained model has no embeddings.
        """
        embedded = [embed_rows(estimator, X) for X in (X_train, X_soundscapes)]
        return cls.from_embeddings(*embedded, **options)

    @classmethod
    def from_embeddings(
        cls,
        train_embeddings,
        soundscape_embeddings,
        *,
        method="pca",
        max_points=2000,
        random_state=None,
        ax=None,
    ):
        """Draw embeddings of training segments and of soundscapes.

        Parameters
        ----------
        train_embeddings, soundscape_embeddings : array-like, (n_rows, n_features)
            Embeddings, as a network's `embed` or an
            :class:`skbird.encoders.EmbeddingEncoder` returns them, or `Windows`, whose
            means are taken. Rows with NaN are left out.
        method : {"pca", "umap"}, default="pca"
            "umap" needs umap-learn; distances on its map mean little, neighbours much.
        max_points : int >= 10, default=2000
            Largest number of rows of each kind; if there are more, some are drawn.
        random_state : int, RandomState instance or None, default=None
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        EmbeddingMapDisplay

        Raises
        ------
        ImportError
            If method is "umap" and umap-learn is not installed.
        ValueError
            If the features differ in number, or fewer than 10 rows of a kind are known.
        """
        check_params(
            "EmbeddingMapDisplay.from_embeddings",
            {
                "max_points": [Interval(Integral, 10, MOST, closed="both")],
                "random_state": ["random_state"],
            },
            max_points=max_points,
            random_state=random_state,
        )
        if not isinstance(method, str) or method not in _METHODS:
            raise ValueError(f"method={method!r} must be one of {_METHODS}.")
        rng = check_random_state(random_state)
        parts = [
            _choose(part, name, max_points, rng)
            for name, part in (
                ("train_embeddings", train_embeddings),
                ("soundscape_embeddings", soundscape_embeddings),
            )
        ]
        if parts[0].shape[1] != parts[1].shape[1]:
            raise ValueError(
                f"train_embeddings has {parts[0].shape[1]} features and "
                f"soundscape_embeddings {parts[1].shape[1]}; both must come from the "
                "same model."
            )
        points = np.vstack(parts)
        is_soundscape = np.repeat([0, 1], [len(part) for part in parts])
        judge = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        folds = StratifiedKFold(5, shuffle=True, random_state=rng.randint(2**31))
        separability = cross_val_score(
            judge, points, is_soundscape, cv=folds, scoring="roc_auc"
        ).mean()
        scaled = StandardScaler().fit_transform(points)
        places = _reducer(method, rng).fit_transform(scaled)
        display = cls(
            places[is_soundscape == 0],
            places[is_soundscape == 1],
            float(separability),
            method,
        )
        return display.plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw what the display holds.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        EmbeddingMapDisplay
        """
        self.ax_ = axes_for(self, ax)
        self.figure_ = self.ax_.figure
        for places, marker, colour, name in (
            (self.train_points, "o", COLOURS[0], "training"),
            (self.soundscape_points, "^", COLOURS[1], "soundscapes"),
        ):
            label = f"{name} ({len(places)})"
            style = {"s": 12, "alpha": 0.5, "linewidths": 0, "label": label}
            self.ax_.scatter(
                *np.asarray(places).T, marker=marker, color=colour, **style
            )
        name = self.method.upper()
        self.ax_.set(xlabel=f"{name} 1", ylabel=f"{name} 2")
        self.ax_.set_title(f"told apart with ROC-AUC {self.separability:.2f}")
        self.ax_.legend(fontsize=9)
        return self


def _choose(rows, name, max_points, rng):
    rows = as_floats(pooled(rows), name, np.float64)
    if rows.ndim != 2:
        raise ValueError(
            f"{name} has shape {rows.shape}, but (n_rows, n_features) is needed."
        )
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(rows) < 10:
        raise ValueError(
            f"{name} has {counted(len(rows), 'row')} without NaN; 10 are needed."
        )
    return rows[rng.permutation(len(rows))[:max_points]]


def _reducer(method, rng):
    if method == "pca":
        return PCA(2, random_state=rng)
    try:
        from umap import UMAP
    except ModuleNotFoundError as exc:
        raise ImportError(
            "method='umap' needs umap-learn; install it with: pip install umap-learn"
        ) from exc
    return UMAP(n_components=2, random_state=rng)
