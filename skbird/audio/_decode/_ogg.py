"""Check whether the pages of an Ogg file count its samples right.

Each page says how many samples end with it. The last one is all that decoders look at,
and a damaged one makes a minute of a year. Streams that were written one after another
("chained") are as many recordings to a decoder, which stops at the end of the first.
"""

import struct
from dataclasses import dataclass, replace

from skbird.audio._decode._counting import count_once
from skbird.audio._decode._crc import crc
from skbird.audio._decode._finding import Finding
from skbird.audio._decode._identity import content_identity
from skbird.audio._decode._ogg_gaps import find_ogg_gaps
from skbird.audio._decode._opus import (
    MOST_OPUS_SAMPLES,
    OPUS_RATE,
    first_granule,
    read_skipped,
)

_PAGE_HEAD = struct.Struct("<4sBBqIIIB")
_BEGINS, _ENDS = 2, 4  # flags of the first and the last page of a stream
_CRC_32 = 0x04C11DB7
_HEAD = 2**12
_TAILS = 2**15, 2**18  # two pages are at most 130 kB
_MAX_HEADERS = 1000  # pages before those with sound
# Behind lost pages, libsndfile's seeks go astray up to here (32,000 were measured).
_OPUS_LEAD = 36_000
# A last page whose number is this much lower than the size of the file lets expect is
# that of another stream than the first.
_PAGES_FEWER = 1.5


@dataclass(frozen=True)
class _Page:
    start: int
    stop: int
    flags: int
    granule: int  # samples up to its end; -1 if no packet ends in it
    serial: int
    number: int
    n_packets: int  # that end in it


def look_at_ogg(file, start, size, *, closely=False):
    """Look whether the samples that the last page counts can be.

    Parameters
    ----------
    file : binary file
    start : int
        Where the first page lies.
    size : int
        Bytes of the file.
    closely : bool
        Whether to look for damaged pages, too.

    Returns
    -------
    Finding or None
        None if the pages are believed, or there are none.
    """
    head = _read_pages(file, start, _HEAD, size)
    packet_samples = _most_samples(file, head[0]) if head else None
    if packet_samples is None:
        return None
    tail = _read_tail(file, start, size)
    if not tail:
        return None
    last = tail[-1]
    if _seems_chained(head, tail, size - start):
        links = _links_once(file, start, size)
        if len(links) > 1:
            return Finding(links=tuple(links))
    is_opus = packet_samples == MOST_OPUS_SAMPLES
    begin = _begin(file, head[0].stop, size, last.granule) if is_opus else 0
    before = max(tail[-2].granule if len(tail) > 1 else 0, begin)
    most = before + last.n_packets * packet_samples
    if not last.n_packets or before <= last.granule <= most:
        gaps = _gaps_once(file, start) if closely else ()
        note = _cut_note(file, last, size)
        if not (begin or gaps or note):
            return None
        whole = Finding(((start, size),) if start else (), 1, 1, gaps=gaps, note=note)
        return _in_opus(whole, file, head[0], begin) if is_opus else whole
    mended = _with_granule(file, last, most)
    parts = (start, last.start), mended, (last.stop, size)
    rate = OPUS_RATE if is_opus else None
    granule = max(last.granule, 0)
    return Finding(parts, granule, is_sequential=True, promised_rate=rate)


def _most_samples(file, page):
    """Return how many samples a packet holds at most; None if nobody knows."""
    content = _read_content(file, page)
    if content.startswith(b"\x01vorbis") and len(content) > 28:
        return 2 ** (content[28] >> 4) // 2 or None
    if content.startswith(b"OpusHead"):
        return MOST_OPUS_SAMPLES
    if content.startswith(b"\x7fFLAC"):
        return 2**16
    return None


def _read_page(file, page):
    file.seek(page.start)
    return file.read(page.stop - page.start)


def _read_content(file, page):
    content = _read_page(file, page)
    return content[_PAGE_HEAD.size + content[_PAGE_HEAD.size - 1] :]


def _read_pages(file, start, length, size):
    file.seek(start)
    return list(_parse_pages(file.read(length), start, size))


def _read_tail(file, start, size):
    """Return the last pages of the file: at least two, if there are."""
    pages = []
    for length in _TAILS:
        first = max(size - length, start)
        pages = _read_pages(file, first, size - first, size)
        pages = [page for page in pages if page.granule >= 0 or page.n_packets]
        if len(pages) > 1 or first == start:
            break
    return pages


def _parse_pages(content, offset, size):
    """Yield the pages that lie one after another, whole within the file."""
    at = content.find(b"OggS")
    while 0 <= at <= len(content) - _PAGE_HEAD.size:
        head = _PAGE_HEAD.unpack_from(content, at)
        _, version, flags, granule, serial, number, _, n_segments = head
        first = at + _PAGE_HEAD.size
        segments = content[first : first + n_segments]
        stop = first + n_segments + sum(segments)
        if version == 0 and len(segments) == n_segments and offset + stop <= size:
            n_packets = n_segments - segments.count(255)
            yield _Page(
                offset + at, offset + stop, flags, granule, serial, number, n_packets
            )
        else:
            stop = at + 4
        at = content.find(b"OggS", stop)


def _gaps_once(file, start):
    identity = "pages", *content_identity(file.name)
    return count_once(identity, lambda: find_ogg_gaps(file, start))


def _cut_note(file, last, size):
    """Return what is said of a file that ends within a page; "" if it does not."""
    if last.flags & _ENDS or last.stop == size:
        return ""
    file.seek(last.stop)
    is_page = b"OggS".startswith(file.read(4))
    return "It ends within a page: it was cut short." if is_page else ""


def _in_opus(finding, file, page, begin):
    """Return a `Finding` whose gaps count from the first sample that is heard."""
    skipped = read_skipped(_read_content(file, page))
    first_heard = max(skipped, begin)
    gaps = tuple(
        (max(first - first_heard, 0), stop - first_heard + _OPUS_LEAD)
        for first, stop in finding.gaps
    )
    late = min(skipped, begin)
    return replace(finding, gaps=gaps, promised_rate=OPUS_RATE, late=late)


def _begin(file, at, size, last):
    """Return the number with which the pages of an Opus stream begin to count."""
    for _ in range(_MAX_HEADERS):
        page = next(iter(_read_pages(file, at, _HEAD, size)), None)
        if page is None or page.granule > last:
            break
        if page.granule > 0:
            return first_granule(_read_page(file, page), page.flags, page.granule)
        at = page.stop
    return 0


def _seems_chained(head, tail, size):
    last = tail[-1]
    if last.serial not in {page.serial for page in head}:
        return True
    page_bytes = (tail[-1].stop - tail[0].start) / len(tail)
    return size / page_bytes > _PAGES_FEWER * (last.number + 2)


def _links_once(file, start, size):
    identity = "links", *content_identity(file.name)
    return count_once(identity, lambda: _find_links(file, start, size))


def _find_links(file, start, size):
    """Return the stretches of the file that are streams by themselves."""
    begins, was_begin, at = [], False, start
    while at < size:
        file.seek(at)
        content = file.read(2**20)
        stop = at
        for page in _parse_pages(content, at, size):
            is_begin = bool(page.flags & _BEGINS)
            if is_begin and not was_begin:  # several begin together if there is video
                begins.append(page.start)
            was_begin, stop = is_begin, page.stop
        at = stop if stop > at else at + max(len(content) - 3, 1)
    return list(zip(begins, [*begins[1:], size], strict=True))


def _with_granule(file, page, granule):
    file.seek(page.start)
    content = bytearray(file.read(page.stop - page.start))
    content[6:14] = struct.pack("<q", granule)
    content[22:26] = bytes(4)
    content[22:26] = struct.pack("<I", crc(content, 32, _CRC_32))
    return bytes(content)
