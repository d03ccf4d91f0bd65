"""Commands where streams are closed or full, and where folders and locales are odd."""

import os
import subprocess
import sys

import pytest
import soundfile
from conftest import RATE, tone

pytest.importorskip("rich")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="of POSIX shells")
# -P: no search of modules in the working directory, as in the installed program.
_MAIN = f"{sys.executable} -P -c 'from skbird.cli import main; main()'"


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


# A process that has imported what commands need, but not the command line. For each
# line that it reads, a child of it runs a command, with streams as a new process has.
PREPARED = """
import os, sys
from ast import literal_eval
import matplotlib.pyplot, skbird.reports
for line in sys.stdin:
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
folder, words, paths = literal_eval(line)
os.chdir(folder)
for number, (name, path) in enumerate(zip(["stdin", "stdout", "stderr"], paths)):
    os.close(number)
    setattr(sys, name, None)
    if path is not None:
        opened = os.open(path, os.O_RDWR | os.O_CREAT)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        setattr(sys, name, open(number, "w" if number else "r", closefd=False))
sys.argv = ["skbird", *words]
from skbird.cli import main
main()
"""


@pytest.fixture(scope="module")
def prepared():
    """Return a function that runs a command in a child of a prepared process."""
    with subprocess.Popen(
        [sys.executable, "-c", PREPARED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def run(folder, command, stdout="out", stderr="err"):
            paths = os.devnull, stdout, stderr
            print((str(folder), command.split(), paths), file=process.stdin, flush=True)
            return int(process.stdout.readline())

        yield run
        process.stdin.close()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sound").mkdir()
    soundfile.write(tmp_path / "sound" / "a.wav", tone(1000, 1), RATE)
    return tmp_path


@pytest.mark.slow
def test_closed_streams_cost_nothing(folder):
    command = "SKBIRD describe sound --no-labels --out p.html <&- >&- 2>&-"
    done = shell(command, folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "p.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "closed",
    [
        ["stderr"],
        pytest.param(["stdout"], marks=pytest.mark.thorough),
        pytest.param(["stdout", "stderr"], marks=pytest.mark.thorough),
    ],
    ids=" and ".join,
)
def test_a_closed_stream_costs_nothing(folder, prepared, closed):
    command = "describe sound --no-labels --out p.html"
    assert prepared(folder, command, **dict.fromkeys(closed)) == 0
    assert (folder / "p.html").exists()
    if closed == ["stderr"]:
        assert (folder / "out").read_text()


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="of Linux")
def test_a_full_output_is_named(folder, prepared):
    assert prepared(folder, "describe sound --no-labels", stdout="/dev/full") != 0
    assert "standard output" in (folder / "err").read_text()


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="of Linux")
def test_a_full_log_costs_nothing(folder, prepared):
    command = "describe sound --no-labels --out p.html"
    assert prepared(folder, command, stderr="/dev/full") == 0
    assert "finding" in (folder / "out").read_text()
    assert (folder / "p.html").exists()
    # What is wrong shows in the exit code still.
    assert prepared(folder, "describe nowhere", stderr="/dev/full") == 2


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
