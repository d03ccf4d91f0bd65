"""Ctrl-C at any moment: one line, and exit code 130."""

import signal
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("click")

# Where the tests run in the background, their processes are born deaf to Ctrl-C.
LISTEN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
# A command that does something while Ctrl-C comes, as if a person had pressed it.
START = """
import os, signal, sys, threading, time
import skbird.cli
import skbird.cli._app as app
import skbird.cli._interrupts as interrupts
from importlib import abc, machinery
interrupts._GRACE_S = 0.2
press = lambda: os.kill(os.getpid(), signal.SIGINT)

@app.app.command()
def wait():
    work()

"""


def interrupted(code):
    """Run a program in which `work` is interrupted; return how it ended."""
    code = f"{START}{textwrap.dedent(code)}\nsys.argv = ['skbird', 'wait']\n"
    return subprocess.run(
        [sys.executable, "-c", f"{LISTEN}{code}skbird.cli.main()"],
        capture_output=True,
        text=True,
        timeout=60,
    )


WORK = {
    "in a command": "def work(): press(); time.sleep(30)",
    "swallowed": """
        def work():
            try:
                press(); time.sleep(30)
            except KeyboardInterrupt:
                time.sleep(30)
        """,
    "swallowed in a destructor": """
        class Thing:
            def __del__(self): press(); time.sleep(0.01)
        def work(): Thing(); time.sleep(30)
        """,
    "while a thread works": """
        def work():
            threading.Thread(target=time.sleep, args=[30]).start()
            press(); time.sleep(30)
        """,
    "while a pool works": """
        def work():
            from concurrent.futures import ThreadPoolExecutor
            with ThreadPoolExecutor(1) as pool:
                pool.submit(time.sleep, 30)
                press()
        """,
    "from a thread": """
        def work():
            threading.Timer(0.1, press).start()
            time.sleep(30)
        """,
    "in an import that swallows": """
        class Loader(abc.Loader):
            def create_module(self, spec): return None
            def exec_module(self, module):
                try:
                    press(); time.sleep(30)
                except BaseException:
                    pass
        class Finder(abc.MetaPathFinder):
            def find_spec(self, name, path, target=None):
                if name == 'slow': return machinery.ModuleSpec(name, Loader())
        sys.meta_path.insert(0, Finder())
        def work(): import slow; time.sleep(30)
        """,
    "before the command": """
        app.app.params[0].callback = lambda *args: (press(), time.sleep(30))
        app.app.main = lambda **options: (press(), time.sleep(30))
        """,
}


@pytest.mark.parametrize("code", WORK.values(), ids=WORK)
def test_ctrl_c_ends_with_one_line(code):
    done = interrupted(code)
    assert done.returncode == 130, done.stderr
    assert done.stderr == "Interrupted.\n"
    assert done.stdout == ""


def test_files_are_tidied_away_first(tmp_path):
    done = interrupted(f"""
        def work():
            import tempfile
            with tempfile.TemporaryDirectory(dir={str(tmp_path)!r}):
                press(); time.sleep(30)
        """)
    assert done.returncode == 130
    assert not list(tmp_path.iterdir())


def test_ctrl_c_while_the_command_line_starts():
    code = f"{LISTEN}import skbird.cli as c; c.main()"
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-c", code],
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if line.rstrip().endswith(" click.exceptions"):
            break
    process.send_signal(signal.SIGINT)
    lines = [x for x in process.stderr.read().splitlines() if "import time:" not in x]
    assert process.wait() == 130
    assert lines == ["Interrupted."]


def test_ctrl_c_that_a_parent_has_ignored_stays_ignored():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
            + START
            + "def work(): press(); print('done')\n"
            "sys.argv = ['skbird', 'wait']\nskbird.cli.main()",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "done\n")
