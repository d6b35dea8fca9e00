"""What every test shares: where the real data lies, and a home of its own."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.warm_tagbox import WarmTagbox

# No deadline: the machine is shared and slow at times. In CI the same examples every time, new ones at the desk.
settings.register_profile("tagbox", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("tagbox")

_ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_finish() -> None:
    """Take half a million imported objects out of later garbage collections, and have fewer of them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 10)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return _ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real LabelImg sets, drawings and weights; they live beside the repository and are not part of it."""
    folder = _ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared test material (../shared/data) is not here")
    return folder


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmTagbox]:
    """A process that has imported TensorFlow and runs commands in forks of itself."""
    tagbox = WarmTagbox()
    yield tagbox
    tagbox.close()
