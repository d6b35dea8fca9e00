"""The split of a picture by the hash of its name, as TensorFlow's retrain.py had it.

A picture keeps its split whatever other pictures come and go, and the same folder given by the same words is split as
retrain.py split it. Pictures that look the same may fall apart; `records.picture_folder` says where they do.
"""

import hashlib
import re

# retrain.py's most images a class, 2**27 - 1; its arithmetic is kept so that no picture changes sides by a rounding.
_MOST = 2**27 - 1
_BESIDE_THE_HASH = re.compile(r"_nohash_.*$", re.DOTALL)


def percentage_of_name(name: str) -> float:
    """Return where a name falls from 0 to 100; what follows ``_nohash_`` in it does not count.

    Pictures of one thing, ``leaf7_nohash_1.jpg`` and ``leaf7_nohash_2.jpg``, so stay together.
    """
    digest = hashlib.sha1(_BESIDE_THE_HASH.sub("", name).encode(), usedforsecurity=False).hexdigest()
    return (int(digest, 16) % (_MOST + 1)) * (100.0 / _MOST)


def is_verification(name: str, percentage: float) -> bool:
    """Tell whether a picture is for verification.

    The names that come first are: with the percentages of its validation and its test set added up, training has the
    very pictures that retrain.py trained on.
    """
    return percentage_of_name(name) < percentage
