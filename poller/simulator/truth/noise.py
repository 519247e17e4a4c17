"""Reproducible chance: numbers that follow from a key alone."""

import hashlib
import math
from functools import lru_cache


def stream(text: str) -> int:
    """The key of a series of numbers."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def normal(key: int) -> float:
    """A nearly normal number for a key: the sum of four uniform ones, so at most 3.5 standard deviations from 0."""
    # splitmix64, https://prng.di.unimi.it/splitmix64.c; written inline, since a long chart runs it a million times
    z = (key * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    z ^= z >> 31
    total = (z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48)
    return (total - 131070) / 37837.2


def chance(text: str) -> float:
    """A number from 0 to 1 for a text."""
    return stream(text) / 2**64


def wander(key: int, second: int, levels: range) -> float:
    """A slow noise at a second since 1970, with a mean of 0 and a standard deviation of about 1.

    It is the sum of noises with periods of 4^level seconds. Each is straight between independent values on its own
    grid, and its height grows with the square root of its period. The sum is straight between multiples of the shortest
    period, and does not drift beyond the longest.
    """
    total = 0.0
    for level in levels:
        n, rest = divmod(second, 4**level)
        left, right = _node(key, level, n), _node(key, level, n + 1)
        total += 2**level * (left + (right - left) * rest / 4**level)
    return total / _spread(levels)


# Neighbouring instants share nearly all of their nodes.
@lru_cache(maxsize=1 << 13)
def _node(key: int, level: int, n: int) -> float:
    return normal(key + (level << 48) + n)


@lru_cache
def _spread(levels: range) -> float:
    """The standard deviation of the sum. Between two nodes the variance falls to a half, so 2/3 is its mean."""
    return math.sqrt(sum(4**level for level in levels) * 2 / 3)
