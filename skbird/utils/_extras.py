"""The command that installs a missing optional package."""

import json
import shlex
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname


def install_hint(*extras):
    """Return the command that installs optional packages of skbird.

    Parameters
    ----------
    *extras : str
        Names of skbird's extras, such as "train".

    Returns
    -------
    str
        For a checkout ``pip install -e '<its folder>[train]'``, since no package index
        need have it; for what came from an address ``pip install 'skbird[train] @
        <address>'``; else ``pip install 'skbird[train]'``.

    Examples
    --------
    >>> from skbird.utils._extras import install_hint
    >>> install_hint("cpu", "train").endswith("[cpu,train]'")
    True
    """
    names = ",".join(extras)
    flag, package, address = _source()
    return f"pip install {flag}{shlex.quote(f'{package}[{names}]{address}')}"


@cache
def _source():
    """Return pip's flag, the package, and what comes after the extras."""
    origin = _origin()
    url = origin.get("url", "")
    if not url:
        return "", "skbird", ""
    if urlsplit(url).scheme != "file":
        version_control = origin.get("vcs_info", {})
        tool, revision = (version_control.get(k) for k in ("vcs", "requested_revision"))
        url = f"{tool}+{url}" if tool else url
        return "", "skbird", f" @ {url}@{revision}" if revision else f" @ {url}"
    place = url2pathname(urlsplit(url).path)
    if not Path(place).exists():
        return "", "skbird", ""
    is_editable = origin.get("dir_info", {}).get("editable", False)
    return "-e " if is_editable else "", place, ""


def _origin():
    """Return where the installed skbird is from, as pip noted it; {}: of an index."""
    try:
        text = distribution("skbird").read_text("direct_url.json")
        return json.loads(text) if text else {}
    except PackageNotFoundError:  # not installed, but on the path
        root = Path(__file__).parents[2]
        if not (root / "pyproject.toml").is_file():
            return {}
        return {"url": root.as_uri(), "dir_info": {"editable": True}}
