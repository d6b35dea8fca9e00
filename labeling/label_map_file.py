"""The data set's own label map, judged as a part of the data."""

from pathlib import Path

from labeling.checks.subject import make_finding
from labeling.errors import LabelMapError
from labeling.findings import Finding, Severity
from labeling.label_map import LabelMap, read_label_map


def judge_label_map(path: Path) -> tuple[LabelMap | None, tuple[Finding, ...]]:
    """Read a label map and say what is wrong with it (C05).

    Returns:
        The map, ``None`` when it is broken; and the findings: an error for a broken map, a warning for ids that are
        left out (each costs the model a class that nothing teaches).

    Raises:
        InputError: The file cannot be read.
    """
    try:
        label_map = read_label_map(path)
    except LabelMapError as error:
        line = error.where.rpartition(":")[2]
        number = int(line) if line.isdigit() else None
        return None, (make_finding("C05", path, got=error.what, wanted=error.fix.rstrip("."), line=number),)
    missing = sorted(set(range(1, label_map.max_id + 1)) - {class_id for class_id, _ in label_map.items})
    if not missing:
        return label_map, ()
    shown = ", ".join(str(one) for one in missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    gap = make_finding(
        "C05",
        path,
        got=f"no id {shown}",
        wanted=f"ids 1 to {label_map.max_id}",
        severity=Severity.WARNING,
        action="Nothing to do where a label was given up; do not renumber a map that was trained with.",
    )
    return label_map, (gap,)
