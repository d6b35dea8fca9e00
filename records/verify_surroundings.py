"""What stands beside the records of a folder."""

from collections.abc import Collection, Iterator
from pathlib import Path

from collectors.errors import TagboxError
from labeling.label_map import read_label_map
from records import label_ids, staging
from records.verify_findings import RecordFinding


def check_surroundings(
    folder: Path, named: Collection[str], label_map: tuple[tuple[int, str], ...]
) -> Iterator[RecordFinding]:
    """Look for files nobody lists (V13), label maps that differ (V14) and an unfinished build (V16).

    Args:
        folder: The records folder, of either kind.
        named: Names of the files that the manifest lists.
        label_map: The ids and names of the manifest.
    """
    for path in sorted(folder.glob("*.record*")):
        if path.name not in named:
            yield RecordFinding("V13", path, None, "the manifest does not name this file, a glob may train on it")
    for name in (label_ids.FILE_NAME, Path(label_ids.FILE_NAME).with_suffix(".csv").name):
        try:
            same = read_label_map(folder / name).items == label_map
            message = "it differs from the label map of the manifest"
        except TagboxError as error:
            same, message = False, str(error)
        if not same:
            yield RecordFinding("V14", folder / name, None, message)
    if (folder / staging.FOLDER_NAME).is_dir():
        words = "a build did not finish; run it again and it goes on"
        yield RecordFinding("V16", folder / staging.FOLDER_NAME, None, words)
