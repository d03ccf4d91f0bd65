"""Sessions of development: ``nox -l`` lists them, ``nox -s lint`` runs one.

``nox`` runs lint, types and tests, each in an environment of its own.
"""

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2024.4"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def lint(session):
    """Check style and format, as pre-commit does, of all files."""
    session.install("pre-commit>=4")
    session.run("pre-commit", "run", "--all-files", "--show-diff-on-failure")


@nox.session
def types(session):
    """Check type hints with mypy, and how scripts of users get on with them."""
    session.install("-e", ".[types]")
    session.run("mypy")
    session.run("mypy", "tests/typed_use.py")


@nox.session
def tests(session):
    """Run the tests; arguments behind ``--`` are pytest's."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def thorough(session):
    """Run further cases of what the tests try, as before a release; also on Ray."""
    session.install("-e", ".[test]", "ray>=2.30")
    session.run("pytest", "-m", "thorough", *session.posargs)


@nox.session(venv_backend="uv")
def minimum(session):
    """Run the tests with the oldest versions that pyproject.toml allows."""
    session.install("--resolution", "lowest-direct", "-e", ".[test]")
    # What old packages say of the newer ones that they are installed with is no error.
    session.run("pytest", "-W", "ignore::DeprecationWarning", *session.posargs)


@nox.session
def docs(session):
    """Build the site into docs/_build/html, without a warning, and walk through it."""
    session.install("-e", ".[test,docs]")
    site = "docs/_build/html"
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", site)
    session.run("pytest", "-n", "0", "tests/test_docs.py", "tests/test_site.py")


@nox.session
def quickstart(session):
    """Run the first example as a new user would."""
    session.install("-e", ".[train]")
    session.run("python", "examples/quickstart.py")


@nox.session(python=["3.11", "3.12", "3.13"])
def release(session):
    """Build sdist and wheel, check them, and run the tests outside of the checkout.

    Versions of Python that this machine lacks are passed over.
    """
    session.install("build", "twine")
    folder = Path(session.create_tmp())
    shutil.rmtree(folder / "dist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(folder / "dist"))
    built = sorted((folder / "dist").iterdir())
    session.run("twine", "check", "--strict", *map(str, built))
    (wheel,) = (path for path in built if path.suffix == ".whl")
    (sdist,) = (path for path in built if path.suffix == ".gz")
    session.install(f"{wheel}[test]", "--force-reinstall", "--no-deps")
    session.install(f"{wheel}[test]")
    shutil.unpack_archive(sdist, folder, filter="data")
    source = folder / sdist.name.removesuffix(".tar.gz")
    shutil.rmtree(source / "skbird")  # so that the tests find what is installed
    session.chdir(source)
    session.run("pytest", "tests", *session.posargs)
