"""What the commands that build classification records show."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collectors.progress import Progress
from scripts import exit_codes
from scripts.output import progress, say, write_json, write_table

if TYPE_CHECKING:
    from records.classification_build import ClassificationReport

_SHOWN = 20
_SHOWN_CLASSES = 40


@contextmanager
def progress_of_phases(*titles: str) -> Iterator[tuple[Progress, ...]]:
    """Show progress of phases that follow each other; each from its first report on, one at a time.

    Nothing is shown of a phase that turns out to be done.
    """
    with ExitStack() as stack:
        shown: dict[str, Progress] = {}

        def reporter(title: str) -> Progress:
            def report(done: int, total: int | None, note: str = "") -> None:
                if title not in shown:
                    stack.close()
                    shown[title] = stack.enter_context(progress(title))
                shown[title](done, total, note)

            return report

        yield tuple(reporter(title) for title in titles)


def print_classification_report(report: "ClassificationReport", *, as_json: bool, noun: str) -> None:
    """Print what became of a build: data on stdout, words on stderr.

    Args:
        report: The report.
        as_json: JSON instead of the tables.
        noun: What is counted, such as ``drawings``.
    """
    if as_json:
        write_json(report.as_json())
    else:
        _write_tables(report, noun)
    say_account(report, noun=noun)


def say_account(report: "ClassificationReport", *, noun: str) -> None:
    """Say in words what became of a build: refusals, warnings, totals; see `print_classification_report`."""
    refusals = report.plan.refusals
    for refusal in itertools.islice(refusals, _SHOWN):
        say(f"refused: {refusal.path}: {refusal.code} {refusal.reason}")
    if len(refusals) > _SHOWN:
        say(f"refused: {len(refusals) - _SHOWN} more; {'--json prints' if report.dry_run else 'the manifest has'} all")
    from records.labelled_folder import OTHER_TAGS
    from records.picture_folder import WITHOUT_LABEL

    for notice in report.plan.notices:
        say(f"{'note' if notice.code in (OTHER_TAGS, WITHOUT_LABEL) else 'warning'}: {notice.message}")
    say(_summary(report, noun))


def verify_classification_records(folder: Path, *, as_json: bool) -> int:
    """Verify a folder of classification records and print what was found; returns the exit code."""
    from records.classification_verify import verify_classification

    with progress_of_phases("verify") as (verifying,):
        report = verify_classification(folder, progress=verifying)
    if as_json:
        write_json(report.as_json())
    else:
        for finding in report.findings:
            click.echo(str(finding))
    say(
        f"{report.num_examples} examples in {report.num_files} files, {report.num_bytes / 1e6:.1f} MB; "
        f"findings: {len(report.findings)}"
    )
    return exit_codes.FINDINGS if report.findings else exit_codes.DONE


def _write_tables(report: "ClassificationReport", noun: str) -> None:
    sources = report.plan.sources
    names = ("found", "training", "verification", "unused", "refused")
    rows = [[one.label, one.source, *(str(getattr(one, name)) for name in names)] for one in sources[:_SHOWN_CLASSES]]
    if len(sources) > _SHOWN_CLASSES:
        rest = sources[_SHOWN_CLASSES:]
        rows.append(["...", f"{len(rest)} more", *(str(sum(getattr(one, name) for one in rest)) for name in names)])
    write_table(["class", "source", *names], rows, right={2, 3, 4, 5, 6})
    if report.plan.content.get("multi_label"):
        _write_labels(report)
    write_table(
        ["record", noun, "files", "size", "state"],
        [
            [
                str(outcome.record.path) if outcome.record.shards else "-",
                str(outcome.record.num_examples),
                str(len(outcome.record.shards)),
                f"{outcome.num_bytes / 1e6:.1f} MB" if outcome.num_bytes else "-",
                outcome.state.value,
            ]
            for outcome in report.outcomes
        ],
        right={1, 2, 3},
    )


def _write_labels(report: "ClassificationReport") -> None:
    """Print how many pictures of each split have each label: its folder's are not all of them."""
    counts = {record.split: dict(record.counts) for record in report.plan.records}
    labels = [label for label in report.plan.label_map.names if any(label in one for one in counts.values())]
    rows = [[label, *(str(one.get(label, 0)) for one in counts.values())] for label in labels[:_SHOWN_CLASSES]]
    if len(labels) > _SHOWN_CLASSES:
        rows.append([f"... {len(labels) - _SHOWN_CLASSES} more", *("" for _ in counts)])
    write_table(["label", *counts], rows, right={1, 2})


def _summary(report: "ClassificationReport", noun: str) -> str:
    totals = report.as_json()["totals"]
    account = (
        f"{noun}: {totals['found']} = {totals['written']} in records + {totals['unused']} not needed + "
        f"{totals['refused']} refused, {_counted(len(report.plan.label_map), 'class', 'classes')}"
    )
    if report.dry_run:
        return f"{account}; nothing was written (dry run)"
    written = [outcome for outcome in report.outcomes if outcome.state == "written"]
    return f"{account}; {'wrote ' + _counted(len(written), 'record', 'records') if written else 'up to date'}"


def _counted(number: int, noun: str, plural: str) -> str:
    return f"{number} {noun if number == 1 else plural}"
