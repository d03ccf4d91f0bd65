"""Sessions of development: ``nox -l`` lists them, ``nox -s lint`` runs one.

``nox`` runs lint, types and tests, each in an environment of its own.
"""

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
    """Run the tests that try on many what others try on a few, and Ray's cluster."""
    session.install("-e", ".[test]", "ray>=2.30")
    session.run("pytest", "-m", "thorough", *session.posargs)


@nox.session(venv_backend="uv")
def minimum(session):
    """Run the tests with the oldest versions that pyproject.toml allows."""
    session.install("--resolution", "lowest-direct", "-e", ".[test]")
    session.run("pytest", *session.posargs)


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
