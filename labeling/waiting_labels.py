"""The labelled pictures that wait in ``<class>/unlabeled/`` to be put into a split, found by names alone."""

from collections.abc import Sequence
from pathlib import Path

from labeling.dataset import SPLITS, UNLABELED, DatasetFiles, find_dataset
from labeling.errors import DatasetError


def waiting_folders(root: Path, class_names: Sequence[str] | None = None) -> tuple[tuple[str, Path], ...]:
    """Return the ``unlabeled/`` folders of a data root or of one class folder, with the class names, sorted.

    Args:
        root: A data root, or one class folder.
        class_names: Look at these classes only; ``None`` for all.

    Raises:
        DatasetError: The folder is missing or cannot be listed.
    """
    if not root.is_dir():
        raise DatasetError("no such folder", where=str(root), fix="Give the folder that holds the class folders.")
    if any((root / name).is_dir() for name in (*SPLITS, UNLABELED)):
        found = [(root.resolve().name, root / UNLABELED)]
    else:
        try:
            names = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise DatasetError(f"cannot list the folder: {error.strerror or error}", where=str(root)) from error
        found = [(name, root / name / UNLABELED) for name in names]
    return tuple(
        (name, folder) for name, folder in found if folder.is_dir() and (class_names is None or name in class_names)
    )


def find_labels(root: Path, class_names: Sequence[str] | None = None) -> tuple[DatasetFiles, ...]:
    """Return everything labelled: the splits (or a plain folder) first, then each ``unlabeled/`` folder with XML in it.

    Raises:
        DatasetError: The folder is missing, or there is no XML anywhere.
    """
    found = []
    problem: DatasetError | None = None
    try:
        found.append(find_dataset(root, class_names))
    except DatasetError as error:
        problem = error
    for _, folder in waiting_folders(root, class_names):
        try:
            found.append(find_dataset(folder))
        except DatasetError:
            continue  # pictures only: nothing is labelled there yet
    if not found and problem is not None:
        raise problem
    return tuple(found)
