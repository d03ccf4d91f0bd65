"""Results on which people may have worked since they were written."""

import json
import os
import tempfile
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import click

from skbird.cli import _console

_NAME = "_written.json"


class Results:
    """Files that are replaced only if nobody but skbird has written them.

    Parameters
    ----------
    work_dir : Path
        Where to note what was written.
    files : dict of Path to str or None
        What will be written, with the recording that each file is of.
    overwrite : bool
        Whether to replace what others have written, too.

    Raises
    ------
    click.UsageError
        If there is no file that may be written, or files of others are there and no
        run has ever written beside them.
    """

    def __init__(self, work_dir, files, overwrite):
        self._note = work_dir / _NAME
        self._files = {
            Path(os.path.realpath(file)): recording and os.path.abspath(recording)
            for file, recording in files.items()
        }
        self._overwrite = overwrite
        try:
            self._known = json.loads(self._note.read_bytes())
        except (OSError, ValueError):
            self._known = {}
        foreign = list(filter(self._is_foreign, self._files))
        is_new = not any(str(file) in self._known for file in self._files)
        if foreign and (is_new or len(foreign) == len(self._files)):
            others = f", and {len(foreign) - 1} others" if len(foreign) > 1 else ""
            raise click.UsageError(
                f"{foreign[0]} is there already{others}, and was not written by skbird "
                "from these probabilities, or changed since. Pass --overwrite, or "
                "another --out."
            )

    def _is_foreign(self, file):
        """Whether somebody else wrote or changed a file that is not to be replaced."""
        if self._overwrite or not file.exists():
            return False
        return (
            _digest(file) not in self._known.get(str(file), {"digests": []})["digests"]
        )

    @contextmanager
    def folder(self):
        """Yield a folder to write into, from which the files then go to their places.

        What somebody else has written or changed is kept, and said.
        """
        with tempfile.TemporaryDirectory(dir=self._note.parent, prefix=".") as name:
            yield Path(name)
            self._rename()
            made = {file: Path(name, file.name) for file in self._files}
            made = {file: new for file, new in made.items() if new.exists()}
            # Noted first: a kill may come between any two files.
            for file, new in made.items():
                digests = {_digest(new)}
                if file.exists() and not self._is_foreign(file):
                    digests.add(_digest(file))
                note = {"digests": sorted(digests), "of": self._files[file]}
                self._known[str(file)] = note
            self._store()
            kept = dict.fromkeys(filter(self._is_foreign, made))
            for file, new in made.items():
                if file not in kept:
                    _move(new, file)
        if kept:
            were = "1 table was" if len(kept) == 1 else f"{len(kept)} tables were"
            _console.say(
                f"{were} kept, such as {next(iter(kept))}: others have written or "
                "changed it. --overwrite replaces such tables."
            )

    def _rename(self):
        """Give tables the names that they have now that recordings have namesakes."""
        files = {recording: file for file, recording in self._files.items()}
        for name, known in list(self._known.items()):
            old, new = Path(name), files.get(known["of"])
            if new is None or old == new or old.parent != new.parent:
                continue
            if not old.exists() or new.exists() or old in self._files:
                continue
            os.replace(old, new)
            self._known[str(new)] = self._known.pop(name)
            _console.say(
                f"{old} is called {new.name} now: its name is no longer clear."
            )

    def _store(self):
        from skbird.utils._files import open_whole

        with open_whole(self._note) as file:
            json.dump(self._known, file)


def _digest(file):
    return blake2b(file.read_bytes(), digest_size=16).hexdigest()


def _move(new, file):
    from skbird.utils._files import open_whole

    file.parent.mkdir(parents=True, exist_ok=True)
    with open_whole(file, "wb") as opened:  # they may be on different disks
        opened.write(new.read_bytes())
