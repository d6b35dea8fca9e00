from pathlib import Path

import pytest

from collectors.errors import ConfigError, InputError
from collectors.quickdraw_content import FORMATS
from collectors.quickdraw_flagged import FlaggedDrawings
from collectors.quickdraw_local import LocalEntry
from collectors.quickdraw_selection import Selection
from collectors.quickdraw_sources import FolderSource, choose_format

FILTERED = Selection(recognized_only=True)
KEYS = Selection(flagged=FlaggedDrawings(frozenset({"7"})))
ROWS = Selection(flagged=FlaggedDrawings(rows={"cat": frozenset({3})}))


def _choose(selection=None, *, available=FORMATS, is_ndjson=False, is_official=False, forced=""):
    source = FolderSource([LocalEntry(Path(name), "cat", name) for name in available])
    return choose_format(
        source, "cat", selection or Selection(), is_ndjson=is_ndjson, is_official=is_official, forced=forced
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({"is_official": True}, "numpy_bitmap", id="bitmaps as they are published"),
        pytest.param({}, "binary", id="pictures of another size are drawn from the lightest strokes"),
        pytest.param({"is_ndjson": True}, "simplified", id="ndjson keeps the timestamp"),
        pytest.param({"selection": FILTERED, "is_official": True}, "binary", id="bitmaps cannot be filtered"),
        pytest.param({"selection": KEYS, "is_official": True}, "binary", id="bitmaps have no key"),
        pytest.param({"selection": ROWS}, "numpy_bitmap", id="rows are counted in the bitmaps"),
        pytest.param({"available": ["numpy_bitmap"]}, "numpy_bitmap", id="enlarge where there is nothing else"),
        pytest.param({"available": ["raw"], "is_ndjson": True}, "raw", id="raw is simplified"),
        pytest.param({"available": ["sketchrnn"], "is_official": True}, "sketchrnn", id="sketch-rnn is drawn"),
        pytest.param({"forced": "raw"}, "raw", id="the user decides"),
        pytest.param({"forced": "numpy_bitmap"}, "numpy_bitmap", id="the user wants it enlarged"),
    ],
)
def test_the_lightest_format_that_has_what_is_needed(options, expected):
    assert _choose(**options) == expected


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"available": ["numpy_bitmap"], "is_ndjson": True}, "strokes are asked for"),
        ({"forced": "numpy_bitmap", "selection": FILTERED}, "filter needs key, country or recognition"),
        ({"available": ["sketchrnn"], "selection": FILTERED}, "filter needs key"),
        ({"available": ["binary"], "selection": ROWS}, "counts rows of the bitmaps"),
    ],
)
def test_what_a_format_cannot_give_is_said(options, told):
    with pytest.raises(ConfigError, match=told):
        _choose(**options)


def test_what_is_not_there_is_said():
    with pytest.raises(InputError, match="not here in the format raw"):
        _choose(available=["binary"], forced="raw")
    with pytest.raises(InputError, match="no file of 'dog'"):
        choose_format(FolderSource([]), "dog", Selection(), is_ndjson=False, is_official=True)
