"""Commands where streams are closed or full, and where folders and locales are odd."""

import os
import subprocess
import sys

import pytest
import soundfile
from conftest import RATE, tone

pytest.importorskip("rich")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="of POSIX shells")
_MAIN = f"{sys.executable} -c 'from skbird.cli import main; main()'"


def shell(command, cwd, **variables):
    """Run a command line in which SKBIRD stands for the program."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    return subprocess.run(
        command.replace("SKBIRD", _MAIN),
        shell=True,
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sound").mkdir()
    soundfile.write(tmp_path / "sound" / "a.wav", tone(1000, 1), RATE)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_cost_nothing(folder, closed):
    command = f"SKBIRD describe sound --no-labels --out p.html {closed}"
    done = shell(command, folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "p.html").exists()
    if closed == "2>&-":
        assert done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="of Linux")
def test_a_full_output_is_named(folder):
    done = shell("SKBIRD describe sound --no-labels >/dev/full", folder)
    assert done.returncode != 0
    assert "standard output" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="of Linux")
def test_a_full_log_costs_nothing(folder):
    command = "SKBIRD describe sound --no-labels --out p.html 2>/dev/full"
    done = shell(command, folder)
    assert done.returncode == 0
    assert "finding" in done.stdout
    assert (folder / "p.html").exists()
    # What is wrong shows in the exit code still.
    assert shell("SKBIRD describe nowhere 2>/dev/full", folder).returncode == 2


def test_a_deleted_working_directory_is_named(folder):
    (folder / "gone").mkdir()
    command = f"cd gone; rmdir ../gone; SKBIRD describe {folder}/sound --no-labels"
    done = shell(command, folder)
    assert done.returncode == 2
    assert "The working directory is not there any more" in done.stderr


def test_names_are_not_taken_for_ascii(folder):
    command = "SKBIRD describe sound --no-labels"
    done = shell(command, folder, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 2
    assert "PYTHONUTF8=1" in done.stderr
