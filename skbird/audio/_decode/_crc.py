"""Checksums by which frames are told from bytes that look like one."""

from functools import cache

_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def crc(content, n_bits, polynomial):
    """Return a cyclic checksum that begins at 0.

    Parameters
    ----------
    content : bytes
    n_bits : {8, 16, 32}
    polynomial : int
        Without its highest bit.

    Returns
    -------
    int
    """
    table, shift, value = _table(n_bits, polynomial), n_bits - 8, 0
    mask = (1 << shift) - 1
    for byte in content:
        value = (value & mask) << 8 ^ table[value >> shift ^ byte]
    return value


def reversed_crc(content, n_bits, polynomial):
    """Return the checksum of encoders that begin with the lowest bit of each byte."""
    value = crc(reversed_bits(content), n_bits, polynomial)
    return int(f"{value:0{n_bits}b}"[::-1], 2)


def reversed_bits(content):
    """Return bytes with the bits of each in reversed order."""
    return content.translate(_REVERSED)


@cache
def _table(n_bits, polynomial):
    table = []
    for value in range(256):
        remainder = value << n_bits - 8
        for _ in range(8):
            remainder <<= 1
            if remainder >> n_bits:
                remainder ^= 1 << n_bits | polynomial
        table.append(remainder)
    return table
