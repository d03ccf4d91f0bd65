"""Decode recordings, whatever their headers say.

A header is believed only as far as the file bears it out. For each container one module
looks at the few bytes that tell (`_chunks`, `_flac`, `_ogg`, `_mpeg`) and makes a
`Finding`; `_open` acts on it: opens a mended view of the file, finds the length by
decoding, says in the header's note what was assumed. libsndfile decodes (`_sndfile`),
and FFmpeg what libsndfile does not know (`_ffmpeg`).
"""

from skbird.audio._decode._open import loses_time, open_decoder

__all__ = ["loses_time", "open_decoder"]
