"""Find how much sound the chunks of WAV, RF64, W64, AIFF, CAF and AU files hold.

A recorder that dies leaves the size with which it began: 0, the largest number, or that
of its last pause. Sizes of 32 bits wrap at 4 GB. What follows the samples is another
chunk in a true file, or another recording; if it is neither, it is sound.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from skbird.audio._decode._counting import count_once
from skbird.audio._decode._finding import MAX_LINKS, UNREADABLE, Finding
from skbird.audio._decode._identity import content_identity

# Files of more chunks before the samples are made to keep readers busy.
_MAX_CHUNKS = 1000
# Less than this behind the samples is a writer's carelessness.
_MIN_REST = 1024
# No container is smaller.
_MIN_HEADER, _LOOSE = 24, 2
_TEXT_LOOK = 2**16
# Of what may be zeros set aside, gigabytes perhaps, looks of so many bytes are taken.
_LOOK, _MOST_LOOKS = 2**16, 2**10
_WAVE_GUID = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
# What writers put behind the samples, among others.
_KNOWN_CHUNKS = frozenset(
    name.encode().ljust(4)
    for name in (
        "LIST bext iXML axml id3 ID3 cue smpl fact PEAK junk JUNK PAD FLLR wamd guan "
        "inst DISP _PMX chna cart umid labl note plst acid afsp elm1 minf regn NAME "
        "AUTH ANNO (c) COMT MARK INST MIDI APPL AESD CHAN SAUR free FREE chan info "
        "pakt mark strg kuki levl ovwf slnt"
    ).split()
)
_NOT_SOUND = b"ID3", b"TAG", b"APETAGEX", b"<?xml"
_NAME_BYTES = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _()-."
)
_TEXT_BYTES = bytes(range(32, 127)) + b"\t\n\r"


@dataclass(frozen=True)
class _Form:
    """The form of a container's chunks: name, size, content, padding."""

    first: int  # where the first chunk begins
    sound: bytes  # name of the chunk of samples
    order: str
    size_bytes: int = 4
    own_bytes: int = 0  # of name and size, that the size counts
    step: int = 2  # of the chunks' starts
    own_head: int = 0  # bytes before the samples in their chunk


class _Sound(NamedTuple):
    """The place of the samples, and of the bytes that hold their size."""

    form: _Form
    at: int
    field: int
    n_bytes: int
    promised: int


_WAV = _Form(12, b"data", "little")
_CAF = _Form(8, b"data", "big", 8, 0, 1, own_head=4)
_FORMS = {
    b"RIFF": _WAV,
    b"RIFX": _Form(12, b"data", "big"),
    b"RF64": _WAV,
    b"riff": _Form(40, b"data" + _WAVE_GUID, "little", 8, 24, 8),
    b"FORM": _Form(12, b"SSND", "big", own_head=8),
    b"caff": _CAF,
    b".snd": _Form(24, b"", "big"),  # AU has no chunks
}
MAGICS = frozenset(_FORMS)


def look_at_chunks(file, start, size):
    """Look whether the samples end where their chunk says.

    Parameters
    ----------
    file : binary file
    start : int
        Where the container begins.
    size : int
        Bytes of the file.

    Returns
    -------
    Finding or None
        None if the header is true, or there is none that could be mended.
    """
    sound = _find_sound(file, start, size)
    if sound is None:
        return None
    if _find_next(file, sound, size) < size:
        return _chain(file, start, size)
    more = _find_more(file, sound, size)
    if more:
        return _join(start, sound, more)
    finding = _judge(file, start, size, sound)
    if finding is not None and sound.form is _CAF:
        n_frames = _count_packed(file, start, size)
        if n_frames is not None:  # bytes say nothing of how long packets are
            return replace(finding, promised=n_frames, held=None)
    return finding or _without_rest(start, size, sound)


def _count_packed(file, start, size):
    """Return how many frames a CAF file of packets (ALAC) promises; None for others."""
    for name, at, n_bytes in _walk(file, _CAF, start, size):
        if name == b"pakt" and n_bytes >= 16:
            file.seek(at + 8)  # behind the number of packets
            return int.from_bytes(file.read(8), "big")
    return None


def _find_more(file, sound, size):
    """Return the stretches of further chunks of samples, which readers pass over."""
    form, more, at = sound.form, [], sound.at + sound.promised
    while form.sound and sound.at < at < size - _MIN_HEADER:
        chunk, begin = None, at + -at % form.step - form.first
        for name, first, n_bytes in _walk(file, form, begin, size):
            if name == form.sound and form.own_head < n_bytes <= size - first:
                chunk = first + form.own_head, first + n_bytes
            if not _NAME_BYTES.issuperset(name[:4]):
                break
        if chunk is None or len(more) == _MAX_CHUNKS:
            break
        more.append(chunk)
        at = chunk[1]
    return more


def _join(start, sound, more):
    """Return a view of the file in which all chunks of samples are one."""
    form, at, field, n_bytes, promised = sound
    total = promised + sum(stop - first for first, stop in more)
    number = min(total + form.own_bytes, _endless(n_bytes) - 1)
    patches = {field: number.to_bytes(n_bytes, form.order)}
    parts = *_patch(patches, start, at + promised), *more
    return Finding(parts, promised, total)


def _chain(file, start, size):
    """Return the recordings that lie one after another."""
    links, promised, held = [], None, 0
    while start < size and (sound := _find_sound(file, start, size)) is not None:
        stop = _find_next(file, sound, size)
        finding = _judge(file, start, stop, sound)
        links.append(((start, stop),) if finding is None else finding.parts)
        promised = promised or sound.promised
        held += sound.promised if finding is None else finding.held
        start = stop
        if len(links) == MAX_LINKS:
            break
    if start < size:
        links.append(UNREADABLE)
    return Finding(links=tuple(links), promised=promised, held=held)


def _judge(file, start, size, sound):
    """Look whether the samples of one recording end where their chunk says."""
    form, at, field, n_bytes, promised = sound
    held = size - at
    if held <= 0 or not _is_untrue(file, form, at, promised, size):
        return None
    patches = {}
    if held + form.own_bytes < _endless(n_bytes):
        number = held + form.own_bytes
    elif form.sound == b"data":
        # Of a WAV file whose sizes say that it was never closed, libsndfile reads
        # everything, beyond 4 GB, too.
        patches[start + 4], number = (8).to_bytes(4, form.order), 0
    else:
        number = _endless(n_bytes) - 1
    patches[field] = number.to_bytes(n_bytes, form.order)
    says = 0 < promised < _endless(n_bytes)
    return Finding(_patch(patches, start, size), promised if says else None, held)


def _without_rest(start, size, sound):
    """Leave out what follows the samples of W64 files: libsndfile takes it for some."""
    stop = sound.at + sound.promised
    if sound.form.sound[4:] != _WAVE_GUID or not sound.at < stop < size:
        return None
    return Finding(((start, stop),), sound.promised, sound.promised)


def _patch(patches, start, size):
    """Return parts of a file, in which other bytes lie at some places."""
    parts = []
    for at, content in patches.items():
        parts += [(start, at), content]
        start = at + len(content)
    return *parts, (start, size)


def _find_sound(file, start, size):
    """Return where the samples of a recording lie; None if that is not said."""
    file.seek(start)
    magic = file.read(4)
    form = _FORMS.get(magic)
    if form is None:
        return None
    is_au = magic == b".snd"
    found = _find_au(file) if is_au else _find_chunk(file, form, start, size)
    if found is None:
        return None
    at, field, n_bytes = found
    file.seek(field)
    promised = int.from_bytes(file.read(n_bytes), form.order) - form.own_bytes
    return _Sound(form, at, field, n_bytes, promised)


def _find_chunk(file, form, start, size):
    """Return where the samples begin, and where their size stands in what bytes."""
    chunks = {name: at for name, at, _ in _walk(file, form, start, size)}
    if form.sound not in chunks:
        return None
    if form is _WAV and b"ds64" in chunks:
        return chunks[b"data"], chunks[b"ds64"] + 8, 8
    at = chunks[form.sound]
    before = form.size_bytes
    return at, at - before, before


def _find_au(file):
    """Return the same of AU files, behind their first four bytes."""
    at = file.tell()
    return int.from_bytes(file.read(4), "big") + at - 4, at + 4, 4


def _find_next(file, sound, size):
    """Return where another recording begins behind this one; `size` if none does."""
    form, stop = sound.form, sound.at + sound.promised
    if not sound.at < stop < size - _MIN_HEADER:
        return size
    file.seek(stop)
    behind = file.read(_MIN_HEADER)
    for k in range(form.step + _LOOSE):  # some writers count one byte less
        if behind[k : k + 4] in MAGICS:
            return stop + k
    for padding in {0, -stop % form.step}:
        begin = stop + padding - form.first
        for name, at, _ in _walk(file, form, begin, size):
            if name[:4] in MAGICS:
                return at - len(name) - form.size_bytes
            if not _NAME_BYTES.issuperset(name[:4]):
                break
    return size


def _endless(n_bytes):
    """Return the size from which on writers to pipes mean "to the end"."""
    return 2 ** (8 * n_bytes - 1) - 2**16


def _walk(file, form, start, size):
    """Yield name, offset and size of the chunks up to the samples."""
    at = start + form.first
    head_bytes = len(form.sound) + form.size_bytes
    for _ in range(_MAX_CHUNKS):
        if at > size:  # file systems refuse to seek far beyond
            return
        file.seek(at)
        head = file.read(head_bytes)
        if len(head) < head_bytes:
            return
        name = head[: -form.size_bytes]
        n_bytes = int.from_bytes(head[-form.size_bytes :], form.order) - form.own_bytes
        yield name, at + head_bytes, n_bytes
        if name == form.sound:
            return
        at += head_bytes + max(n_bytes, 0)
        at += (start - at) % form.step


def _is_untrue(file, form, at, promised, size):
    """Return whether the samples end elsewhere than promised."""
    stop = at + promised
    if not 0 < promised <= size - at:
        return promised != 0 or _is_sound(file, form, at, size)
    return not _is_zero(file, stop, size) and _is_sound(file, form, stop, size)


def _is_zero(file, at, size):
    """Return whether nothing but zeros is left: recorders set space aside."""
    identity = "zeros", at, size, *content_identity(file.name)
    return count_once(identity, lambda: not any(_find_bytes(file, at, size)))


def _find_bytes(file, at, size):
    """Yield whether bytes here and there, to the last, are others than zeros."""
    step = max((size - at) // _MOST_LOOKS, _LOOK)
    for start in (*range(at, size, step), max(size - _LOOK, at)):
        file.seek(start)
        yield bool(file.read(min(_LOOK, size - start)).strip(b"\0"))


def _is_sound(file, form, at, size):
    """Return whether what follows the samples is sound as well, not another chunk."""
    if size - at < _MIN_REST:
        return False
    # Some writers leave out the padding.
    paddings = {0, -at % form.step}
    return not any(
        _is_text(file, at + k) or _are_chunks(file, form, at + k, size)
        for k in paddings
    )


def _is_text(file, at):
    """Return whether text follows; loud samples of 8 bits may look like some."""
    file.seek(at)
    head = file.read(_TEXT_LOOK)
    if head.startswith(_NOT_SOUND):
        return True
    is_written = head.startswith((b"<", b"{", b"[")) or b"\n" in head or b"\r" in head
    return is_written and not head.rstrip(b"\0").translate(None, _TEXT_BYTES)


def _are_chunks(file, form, at, size):
    """Return whether chunks lie one after another from here to the end of the file."""
    for name, first, n_bytes in _walk(file, form, at - form.first, size):
        if name[:4] in _KNOWN_CHUNKS:
            return True
        stop = first + n_bytes
        is_last = size - form.step <= stop <= size + form.step
        # Silence may look like a name of zeros, but its size then is 0 as well.
        is_named = _NAME_BYTES.issuperset(name[:4]) or (is_last and not any(name))
        if not is_named or stop > size + form.step:
            return False
        if is_last:
            return True
    return False
