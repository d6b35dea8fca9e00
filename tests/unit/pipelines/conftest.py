"""Unit tests of the training side. `-m "not tf"` must not pay for importing TensorFlow, so it is applied to files."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a file of TensorFlow tests alone when they are not asked for: collecting it would import TensorFlow."""
    if "not tf" not in config.option.markexpr or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text(encoding="utf-8")
    return True if "\npytestmark = pytest.mark.tf\n" in text else None
