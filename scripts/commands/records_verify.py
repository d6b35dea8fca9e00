"""``tagbox records verify``: whether records are whole and sound to train on."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collectors.errors import ConfigError
from scripts import exit_codes
from scripts.options import json_option, quieten_tensorflow
from scripts.output import progress_when_needed, say, size_in_words, write_json

if TYPE_CHECKING:
    from pipelines.detection.anchor_coverage import CoverageReport
    from records.verify_findings import RecordFinding

_PATH = click.Path(path_type=Path)
_SHOWN = 20
_CONFIG = "ssd_mobilenet_v1"


@click.command()
@click.argument("paths", metavar="[PATH]...", type=_PATH, nargs=-1)
@click.option(
    "--label-map", type=_PATH, help="Label map of records without a manifest.  [default: the one beside them]"
)
@click.option("--decode", is_flag=True, help="Decode every picture, not only those that no manifest vouches for.")
@click.option("--deep", is_flag=True, help="Run every example through Model Garden's decoder and a config's anchors.")
@click.option("--config", metavar="NAME", help=f"With --deep: the config to train with.  [default: {_CONFIG}]")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="With --deep: override a key; repeat it.")
@click.option(
    "--min-iou",
    type=click.FloatRange(0, 1),
    help="With --deep: list boxes that the best anchor overlaps less.  [default: 0.2]",
)
@click.option("--jobs", type=click.IntRange(min=1), help="How many files are read at once.  [default: one a processor]")
@json_option
def verify(
    paths: tuple[Path, ...],
    label_map: Path | None,
    decode: bool,
    deep: bool,
    config: str | None,
    overrides: tuple[str, ...],
    min_iou: float | None,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Read every byte of the records in PATH (default: records) and judge them.

    PATH is a folder of `tagbox records`, which is held against its manifest, or any TFRecord of detection examples:
    a folder, a file, a glob in quotes, or the name that shards share.

    Exit codes: 0 all is well, 1 there are findings, 6 there is nothing to read.
    """
    from records.errors import ManifestError
    from records.verify import verify_records

    _refuse_without_deep(deep, {"--config": config, "--set": overrides or None, "--min-iou": min_iou})
    asked = paths or (Path("records"),)
    try:
        with progress_when_needed("verify") as verifying:
            report = verify_records(*asked, label_map_path=label_map, decode=decode, jobs=jobs, progress=verifying)
    except ManifestError:
        if not any(_is_of_classification(path) for path in asked):
            raise
        return _verify_classification(asked, deep=deep, as_json=as_json)
    findings = list(report.findings)
    coverage = None
    if deep:
        coverage = _cover(report.sound_files, config or _CONFIG, overrides, 0.2 if min_iou is None else min_iou)
        findings += coverage.findings
    if as_json:
        document = report.as_json() | {"findings": [finding.as_json() for finding in findings]}
        write_json(document | ({"deep": coverage.as_json()} if coverage else {}))
    else:
        _print_findings(findings)
    for notice in report.notices:
        say(f"note: {notice}")
    decoded = f", {report.num_decoded} pictures decoded" if report.num_decoded else ""
    say(
        f"{report.num_examples} examples with {report.num_boxes} boxes in {report.num_files} files, "
        f"{size_in_words(report.num_bytes)}{decoded}; findings: {len(findings)}"
    )
    if coverage:
        say(_coverage_in_words(config or _CONFIG, coverage))
    return exit_codes.FINDINGS if findings else exit_codes.DONE


def _is_of_classification(path: Path) -> bool:
    from records.classification_manifest import KIND, kind_of_manifest

    return kind_of_manifest(path) == KIND


def _verify_classification(paths: tuple[Path, ...], *, deep: bool, as_json: bool) -> int:
    from scripts.classification_output import verify_classification_records

    if len(paths) > 1:
        raise ConfigError("classification records are verified one folder at a time", fix="Give only one of them.")
    if deep:
        raise ConfigError("classification records have no boxes to match", where=str(paths[0]), fix="Leave out --deep.")
    return verify_classification_records(paths[0], as_json=as_json)


def _refuse_without_deep(deep: bool, options: dict[str, Any]) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given and not deep:
        raise ConfigError(f"{given[0]} goes with --deep", fix="Add --deep.")


def _cover(paths: tuple[Path, ...], config: str, overrides: tuple[str, ...], min_iou: float) -> "CoverageReport":
    quieten_tensorflow()
    say("starting TensorFlow")
    from pipelines.detection.anchor_coverage import check_anchor_coverage
    from pipelines.experiment import load_experiment

    experiment = load_experiment(Path(config), overrides)
    with progress_when_needed("match") as matching:
        return check_anchor_coverage(paths, experiment, min_iou=min_iou, progress=matching)


def _coverage_in_words(config: str, coverage: "CoverageReport") -> str:
    height, width = coverage.input_size
    return (
        f"{config}: {coverage.num_anchors} anchors at {width} x {height} px; of {coverage.num_boxes} boxes "
        f"{len(coverage.unlearnable)} cannot be learned, {coverage.num_forced} have no anchor of IoU "
        f"{coverage.matched_threshold:g} or more and are matched by force"
    )


def _print_findings(findings: list["RecordFinding"]) -> None:
    """Print findings, of one kind in one file the first only: a record of a million examples can repeat one fault."""
    counts: Counter[tuple[Path, str]] = Counter()
    for finding in findings:
        counts[finding.file, finding.code] += 1
        if counts[finding.file, finding.code] <= _SHOWN:
            click.echo(str(finding).encode("utf-8", "replace").decode())
    for (file, code), count in counts.items():
        if count > _SHOWN:
            click.echo(f"{file}: {code} {count - _SHOWN} more; --json prints them all")
