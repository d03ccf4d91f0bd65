"""Results on which people may have worked since they were written."""

import json
import os
import tempfile
from contextlib import contextmanager
from hashlib import blake2b, file_digest
from pathlib import Path

import click

from skbird.cli import _console
from skbird.utils._json import parse_json

NOTE = "_written.json"


class Results:
    """Files that are replaced only if nobody but skbird has written them.

    Parameters
    ----------
    work_dir : Path
        Where to note what was written.
    out : Path
        The file, or the folder of the tables.
    names : dict of str to str
        What to call the table of each recording. Empty for a single file.
    ending : str
        Ending of the tables.
    overwrite : bool
        Whether to replace what others have written, too.

    Attributes
    ----------
    names : dict of str to str
        The same; but a table keeps the name it has, also if its recording got a
        namesake since.

    Raises
    ------
    click.UsageError
        If there is no file that may be written, or files of others are there and no
        run has ever written beside them.
    """

    def __init__(self, work_dir, out, names, ending, overwrite):
        self._note = work_dir / NOTE
        self._overwrite = overwrite
        # What was written: digests by path, and names by folder, ending and recording.
        self._digests, self._names = read_note(self._note)
        self._key = f"{os.path.realpath(out)}/*{ending}"
        self.names = self._keep_names(names)
        files = {name + ending: out / (name + ending) for name in self.names.values()}
        files = files if names else {out.name: out}
        # A link stays one: what counts is the file that it leads to.
        self._files = {name: Path(os.path.realpath(f)) for name, f in files.items()}
        foreign = [file for file in self._files.values() if self._is_foreign(file)]
        is_new = not any(str(file) in self._digests for file in self._files.values())
        if foreign and (is_new or len(foreign) == len(self._files)):
            others = f", and {len(foreign) - 1} others" if len(foreign) > 1 else ""
            raise click.UsageError(
                f"{foreign[0]} is there already{others}, and was not written by skbird "
                "from these probabilities, or changed since. Pass --overwrite, or "
                "another --out."
            )

    def _keep_names(self, names):
        known = self._names.get(self._key, {})
        kept = {p: known.get(os.path.abspath(p), name) for p, name in names.items()}
        is_clear = len({name.casefold() for name in kept.values()}) == len(kept)
        return kept if is_clear else names

    def _is_own(self, file):
        if not file.is_file() or str(file) not in self._digests:
            return False
        # After a power cut a table may be empty: it was not waited for.
        return not file.stat().st_size or digest(file) in self._digests[str(file)]

    def _is_foreign(self, file):
        """Return whether somebody else wrote a file, or changed it since."""
        if file.exists() and not file.is_file():
            raise click.UsageError(f"{file} is no file. Rename it.")
        return not self._overwrite and file.exists() and not self._is_own(file)

    @contextmanager
    def folder(self):
        """Yield a folder to write into, from which the files then go to their places.

        What somebody else has written or changed is kept, and said. Tables of
        recordings that cannot be read any more go.
        """
        with tempfile.TemporaryDirectory(dir=self._note.parent, prefix=".") as name:
            yield Path(name)
            made = {file: Path(name, new) for new, file in self._files.items()}
            old = [file for file, new in made.items() if not new.exists()]
            made = {file: new for file, new in made.items() if new.exists()}
            kept = {file for file in made if self._is_foreign(file)}
            # Noted first: a kill may come between any two files.
            for file, new in made.items():
                own = [digest(file)] if self._is_own(file) else []
                self._digests[str(file)] = [*own, digest(new)]
            recordings = {os.path.abspath(p): name for p, name in self.names.items()}
            self._names.setdefault(self._key, {}).update(recordings)
            note = json.dumps([self._digests, self._names]).encode()
            _write(note, self._note, sync=True)
            for file, new in made.items():
                if file not in kept:
                    _write(new.read_bytes(), file, sync=False)  # there may be thousands
            for file in filter(self._is_own, old):
                file.unlink()
        if kept:
            were = "1 table was" if len(kept) == 1 else f"{len(kept)} tables were"
            _console.say(
                f"{were} kept, such as {min(kept)}: somebody else has written or "
                "changed it. --overwrite replaces such tables."
            )


def read_note(path):
    """Return what was written, by path, and the names of tables; see `Results`."""
    from skbird.utils._files import read_bytes

    try:
        digests, names = parse_json(read_bytes(path))
        return dict(digests), dict(names)
    except (OSError, ValueError, TypeError):
        return {}, {}


def digest(file):
    """Return what tells the content of a file from others.

    Raises
    ------
    OSError, ValueError
        If it cannot be read, or is no file, such as a pipe or a device.
    """
    from skbird.utils._files import check_regular

    check_regular(file)
    with open(file, "rb") as opened:
        return file_digest(opened, lambda: blake2b(digest_size=16)).hexdigest()


def _write(data, file, sync):
    from skbird.utils._files import open_whole

    file.parent.mkdir(parents=True, exist_ok=True)
    with open_whole(file, "wb", sync=sync) as opened:
        opened.write(data)
