"""Tell which recordings a model was trained on, from what its file keeps of them."""

import base64
import hashlib
import os
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd

from skbird.data import check_rows
from skbird.utils._rows import files_of_rows


def trained_on(model, X):
    """Tell which rows are of recordings that a model was trained on, by their names.

    Parameters
    ----------
    model : estimator
        From `load_model`. Of any other model, and if `save_model` was given no
        ``data``, nothing is known.
    X : DataFrame with a column ``path``, or sequence of paths
        The rows. What counts are the names of the file and of the folder that it is
        in, so that a copy of the whole set elsewhere is found.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        False where nothing is known. A name is mistaken for another in one of 100,000
        cases, given 30,000 recordings.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from sklearn.pipeline import make_pipeline
    >>> from skbird.inference import compile_pipeline, load_model
    >>> from skbird.inference import save_model, trained_on
    >>> from skbird.nn import CNNClassifier
    >>> from skbird.preprocessing import LogMel
    >>> folder = Path(tempfile.mkdtemp())
    >>> path = folder / "frog.wav"
    >>> rng = np.random.default_rng(0)
    >>> soundfile.write(path, 0.1 * rng.standard_normal(32_000 * 5), 32_000)
    >>> net = CNNClassifier("test_efficientnet", backbone_weights=None, max_epochs=1,
    ...                     random_state=0, verbose=0)
    >>> pipe = make_pipeline(LogMel(n_mels=32), net).fit([path], [[0, 1]])
    >>> compiled = compile_pipeline(pipe, precision="float32")
    >>> save_model(compiled, folder / "frog.skbird", data=[path])
    >>> model = load_model(folder / "frog.skbird")
    >>> trained_on(model, [path, "elsewhere/toad.wav"])
    array([ True, False])
    """
    data = getattr(model, "about_", {}).get("data") or {}
    files = np.frombuffer(base64.b64decode(data.get("files", "")), dtype="<u4")
    return np.isin(_hash_names(files_of_rows(X)), files)


def describe_rows(data):
    """Describe training rows by their number and by hashes.

    Parameters
    ----------
    data : DataFrame or sequence of paths

    Returns
    -------
    dict
        ``n_rows``; ``sha256``, a fingerprint of their table, whatever its order and the
        folders of its files; ``files``, hashes of names for `trained_on`, in base64.
    """
    table = data
    if not isinstance(data, pd.DataFrame):
        table = check_rows(data, input_name="data")[["path"]]
    text = table.astype(str).assign(path=[Path(p).name for p in table["path"]])
    hashes = pd.util.hash_pandas_object(text, index=False).to_numpy()
    digest = hashlib.sha256(np.sort(hashes).tobytes()).hexdigest()
    files = base64.b64encode(np.unique(_hash_names(table["path"])).tobytes())
    return {"n_rows": len(table), "sha256": digest, "files": files.decode()}


def _hash_names(paths):
    """Hash the names of files, with that of their folder, to 32 bits each."""
    # Recordings of each species are often numbered from 1.
    names = ["/".join(Path(path).absolute().parts[-2:]) for path in paths]
    digests = [blake2b(os.fsencode(name), digest_size=4) for name in names]
    return np.frombuffer(b"".join(d.digest() for d in digests), dtype="<u4")
