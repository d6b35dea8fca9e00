"""``tagbox labels check``: what would break or silently poison a training, as text, JSON Lines, SARIF or a page."""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collectors.errors import ConfigError
from collectors.files import write_atomically
from scripts import exit_codes
from scripts.options import codes_in, json_option
from scripts.output import progress, say, write_json, write_table

if TYPE_CHECKING:
    from collections import Counter

    from labeling.baseline import Key
    from labeling.findings import Finding
    from labeling.label_map import LabelMap
    from labeling.validate import CheckReport

_COLOUR_OF = {"error": "red", "warning": "yellow", "info": "blue"}
_PATH = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("root", metavar="DIR", type=_PATH)
@click.option("--label-map", "label_map_path", type=_PATH, help="Labels allowed. [default: DIR/label_map.pbtxt]")
@click.option("--class", "class_names", multiple=True, metavar="NAME", help="Look at this class folder only.")
@click.option("--only", multiple=True, metavar="CODES", help="Report these codes only, such as B03,S or B.")
@click.option("--ignore", multiple=True, metavar="CODES", help="Do not report these codes.")
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings too.")
@click.option("--info", "show_info", is_flag=True, help="Show findings that need no action as well.")
@click.option("--baseline", type=_FILE, help="Do not report the findings that this file accepts.")
@click.option("--write-baseline", type=_FILE, help="Accept everything found, in this file, and exit with 0.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif"]),
    help="What to print: text, JSON Lines or SARIF 2.1.0. [default: text]",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json: findings, refusals, a summary.")
@click.option("--report", "page", type=_FILE, metavar="FILE", help="Write a page with drawn boxes, .html.")
@click.option("--thumbnails", type=_PATH, metavar="DIR", help="Draw the pairs found; the text names the drawings.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Threads that read and decode. [default: one a processor]")
@click.option("--no-cache", is_flag=True, help="Read every file, also those unchanged since the last check.")
def check(
    root: Path,
    label_map_path: Path | None,
    class_names: tuple[str, ...],
    only: tuple[str, ...],
    ignore: tuple[str, ...],
    strict: bool,
    show_info: bool,
    baseline: Path | None,
    write_baseline: Path | None,
    form: str | None,
    as_json: bool,
    page: Path | None,
    thumbnails: Path | None,
    jobs: int | None,
    no_cache: bool,
) -> int:
    """Say what would break or silently poison a training.

    Reads every XML, decodes every labelled picture to its last row, and reports each problem with its file and line, a
    stable code (see: tagbox labels codes) and what to do. An error about a pair refuses it: it goes into no record.
    What is known of files that did not change is kept in DIR/.tagbox and not found out again.

    Exit codes: 0 nothing to mend, 1 errors (with --strict also warnings), 6 no such folder or no XML in it.
    """
    from labeling.reports import select

    form = _form(form, as_json)
    only_codes, ignored_codes = codes_in(only), codes_in(ignore)
    if page is not None and page.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"cannot write a page as {page.suffix or page.name!r}", fix="Use .html.")
    accepted = _accepted(baseline)
    report = _checked(root, label_map_path, class_names, jobs=jobs, no_cache=no_cache)
    report = select(report, only=only_codes, ignore=ignored_codes)
    if write_baseline is not None:
        from labeling.baseline import write_baseline as write

        say(f"{write(report, root, write_baseline)} findings accepted in {write_baseline}")
        return exit_codes.DONE
    if accepted is not None:
        from labeling.baseline import without_accepted

        report, num_accepted, num_gone = without_accepted(report, root, accepted)
        gone = f"; {num_gone} accepted ones are there no more" if num_gone else ""
        say(f"{num_accepted} findings are accepted by {baseline}{gone}")
    _write_report(report, root, form, page=page, thumbnails=thumbnails, show_info=show_info)
    return _exit_code(report, strict=strict)


@click.command()
@json_option
def codes(as_json: bool) -> None:
    """List every code that a check can report."""
    from labeling.codes import CODES

    if as_json:
        write_json(
            [
                {
                    "code": code.name,
                    "severity": code.severity.value,
                    "title": code.title,
                    "action": code.action,
                    "has_repair": code.has_repair,
                }
                for code in CODES.values()
            ]
        )
        return
    rows = [[code.name, code.severity.value, code.title, code.action] for code in CODES.values()]
    write_table(["code", "severity", "what is wrong", "what to do"], rows)


def _form(form: str | None, as_json: bool) -> str:
    if as_json and form not in (None, "json"):
        raise ConfigError(f"--json and --format {form} contradict each other", fix="Give one of the two.")
    return "json" if as_json else form or "text"


def _accepted(path: Path | None) -> "Counter[Key] | None":
    from labeling.baseline import read_baseline

    return None if path is None else read_baseline(path)


def _checked(
    root: Path, label_map_path: Path | None, class_names: tuple[str, ...], *, jobs: int | None, no_cache: bool
) -> "CheckReport":
    from labeling.check_cache import CheckCache
    from labeling.label_map import read_label_map
    from labeling.validate import check_dataset

    label_map: LabelMap | None = None
    own_map: Path | None = None
    if label_map_path is not None:
        label_map = read_label_map(label_map_path)
    elif (root / "label_map.pbtxt").is_file():
        own_map = root / "label_map.pbtxt"
        say(f"labels are compared with {own_map}")
    with progress("checking") as advance:
        return check_dataset(
            root,
            label_map=label_map,
            label_map_path=own_map,
            class_names=class_names or None,
            progress=advance,
            jobs=jobs,
            cache=None if no_cache else CheckCache(root),
        )


def _write_report(
    report: "CheckReport", root: Path, form: str, *, page: Path | None, thumbnails: Path | None, show_info: bool
) -> None:
    from labeling.finding_pictures import write_pictures
    from labeling.html_report import html_report
    from labeling.reports import json_lines
    from labeling.sarif import sarif_text

    drawings = {} if thumbnails is None else write_pictures(report, thumbnails)
    if form == "json":
        for line in json_lines(report, root):
            _put(line)
    elif form == "sarif":
        _put(sarif_text(report, root, version=version("tagbox")))
    else:
        _write_findings(report, drawings, show_info=show_info)
        _write_summary(report, root, show_info=show_info)
    if page is not None:
        write_atomically(page, html_report(report, root))
        say(f"the page is {page}")


def _exit_code(report: "CheckReport", *, strict: bool) -> int:
    from labeling.findings import Severity

    has_errors = report.count(Severity.ERROR) > 0
    has_warnings = report.count(Severity.WARNING) > 0
    return exit_codes.FINDINGS if has_errors or (strict and has_warnings) else exit_codes.DONE


def _write_findings(report: "CheckReport", drawings: dict[Path, Path], *, show_info: bool) -> None:
    from labeling.finding_pictures import drawable_pairs

    pairs = drawable_pairs(report) if drawings else {}
    last: Path | None = None
    for finding in report.findings:
        if finding.severity.value == "info" and not show_info:
            continue
        if finding.path != last:
            if last is not None:
                click.echo()
            key = pairs[finding.path].xml_path if finding.path in pairs else None
            if key in drawings:
                _put(f"drawn: {drawings[key]}")
        last = finding.path
        _write_finding(finding)


def _write_finding(finding: "Finding") -> None:
    which = f" (object {finding.object_index})" if finding.object_index is not None else ""
    severity = click.style(finding.severity.value, fg=_COLOUR_OF[finding.severity.value], bold=True)
    _put(f"{finding.where}: {severity} {finding.code}{which}: {finding.message}")
    _put(f"    {finding.action}")


def _put(line: str) -> None:
    """Print a line on stdout; file names that are not text at all (bytes of another encoding) get question marks."""
    click.echo(line.encode("utf-8", "replace").decode())


def _write_summary(report: "CheckReport", root: Path, *, show_info: bool) -> None:
    from labeling.codes import CODES
    from labeling.reports import counts_by_code, summary_lines

    hidden = {finding.code for finding in report.findings if finding.severity.value == "info"}
    if any(finding.severity.value != "info" or show_info for finding in report.findings):
        click.echo()
    for code, count in counts_by_code(report).items():
        severities = {finding.severity for finding in report.findings if finding.code == code}
        words = "/".join(sorted((severity.value for severity in severities), key=list(_COLOUR_OF).index))
        note = "  (shown with --info)" if code in hidden and not show_info else ""
        click.echo(f"{count:6d}  {code}  {words}: {CODES[code].title}{note}")
    if report.findings:
        click.echo()
    for line in summary_lines(report, root):
        _put(line)
    if not report.refused and not any(finding.severity.value != "info" for finding in report.findings):
        click.echo("nothing to mend")
