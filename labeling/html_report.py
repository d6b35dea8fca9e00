"""A check report as one HTML page that needs nothing else: pictures inside, no script, no address opened."""

import base64
import html
import os
import re
from collections.abc import Iterator
from pathlib import Path

from labeling.codes import CODES
from labeling.finding_pictures import drawable_pairs, finding_picture, grouped, is_visible
from labeling.findings import Finding, Severity
from labeling.reports import counts_by_code, summary_lines
from labeling.validate import CheckReport

MOST_PICTURES = 500
"""Pictures drawn on a page at most, the worst pairs first: about 15 kB each."""

_STYLE = """
:root { color-scheme: light dark; --line: #8885; --error: #d50000; --warning: #e08600; --info: #0091ea }
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 70rem; padding: 0 1rem }
h1 { font-size: 1.4rem; overflow-wrap: anywhere } .account { margin: 0 }
input { margin: 1.2rem .3rem 1.2rem 0 } label { margin-right: 1rem }
table { border-collapse: collapse; margin-top: 1rem }
td, th { padding: .15rem .8rem .15rem 0; text-align: left; vertical-align: top }
td.n, th.n { text-align: right } code { overflow-wrap: anywhere }
article { border-top: 1px solid var(--line); display: flex; flex-wrap: wrap; gap: 1rem; padding: 1rem 0 }
article > div { flex: 1 1 24rem } article > .drawn { flex: 0 0 20rem; text-align: center }
h2 { font-size: 1rem; margin: 0 0 .4rem; overflow-wrap: anywhere }
ul { margin: 0; padding-left: 1.1rem } .do { opacity: .75 } img { max-width: 100%; height: auto }
.tag { border-radius: .3rem; color: #fff; font-size: .8rem; padding: .05rem .4rem }
.tag.error { background: var(--error) } .tag.warning { background: var(--warning) }
.tag.info { background: var(--info) }
#show-error:not(:checked) ~ main .f-error, #show-warning:not(:checked) ~ main .f-warning,
#show-info:not(:checked) ~ main .f-info { display: none }
article:not(:has(li)) { display: none }
#show-error:not(:checked) ~ main article.w-error:not(.w-warning):not(.w-info),
#show-warning:not(:checked) ~ main article.w-warning:not(.w-error):not(.w-info),
#show-info:not(:checked) ~ main article.w-info:not(.w-error):not(.w-warning) { display: none }
"""
_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def html_report(report: CheckReport, root: Path) -> str:
    """Return the page: the account of all files, the codes found, and each pair with its picture and its findings.

    Pairs with errors come first, then warnings, then infos, each in the order of the report. Infos are hidden until
    asked for.
    """
    return "".join(_page(report, root))


def _page(report: CheckReport, root: Path) -> Iterator[str]:
    title = f"Labels of {_text(str(root))}"
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    # Nothing of the data can make the page fetch or run anything.
    yield '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    yield "style-src 'unsafe-inline'\">\n"
    yield '<meta name="viewport" content="width=device-width">\n'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    yield "".join(f'<p class="account">{_text(line)}</p>\n' for line in summary_lines(report, root))
    yield from _codes(report)
    for severity in Severity:
        checked = "" if severity is Severity.INFO else " checked"
        name = severity.value
        yield f'<input type="checkbox" id="show-{name}"{checked}><label for="show-{name}"> {name} '
        yield f"({report.count(severity)})</label>\n"
    yield "<main>\n"
    if not report.findings:
        yield "<p>Nothing was found.</p>\n"
    yield from _articles(report, root)
    yield "</main>\n</body>\n</html>\n"


def _codes(report: CheckReport) -> Iterator[str]:
    counts = counts_by_code(report)
    if not counts:
        return
    yield '<table>\n<tr><th class="n">found</th><th>code</th><th>what is wrong</th><th>what to do</th></tr>\n'
    worst: dict[str, Severity] = {}
    for finding in report.findings:
        worst[finding.code] = min(finding.severity, worst.get(finding.code, finding.severity), key=_RANK.__getitem__)
    for code, count in sorted(counts.items(), key=lambda item: _RANK[worst[item[0]]]):
        known = CODES[code]
        tag = f'<span class="tag {worst[code].value}">{code}</span>'
        yield f'<tr><td class="n">{count}</td><td>{tag}</td><td>{_text(known.title)}</td>'
        yield f"<td>{_text(known.action)}</td></tr>\n"
    yield "</table>\n"


def _articles(report: CheckReport, root: Path) -> Iterator[str]:
    pairs = drawable_pairs(report)
    groups = sorted(grouped(report).items(), key=lambda item: min(_RANK[one.severity] for one in item[1]))
    num_drawn = 0
    for key, findings in groups:
        pair = pairs.get(key)
        drawn = None
        if pair is not None and num_drawn < MOST_PICTURES and any(is_visible(one) for one in findings):
            drawn = finding_picture(pair, findings)
            num_drawn += drawn is not None
        severities = " ".join(sorted({f"w-{finding.severity.value}" for finding in findings}))
        yield f'<article class="{severities}">\n'
        if drawn is not None:
            data = base64.b64encode(drawn).decode()
            yield f'<div class="drawn"><img alt="{_text(key.name)} with its boxes" '
            yield f'src="data:image/jpeg;base64,{data}"></div>\n'
        yield f"<div><h2><code>{_text(_below(str(key), root))}</code></h2>\n<ul>\n"
        yield from (_item(finding, key, root) for finding in findings)
        yield "</ul></div>\n</article>\n"


def _item(finding: Finding, key: Path, root: Path) -> str:
    name = finding.severity.value
    place = f"line {finding.line}" if finding.line is not None else ""
    if finding.path != key:
        place = _text(finding.path.name) + (f", {place}" if place else "")
    if finding.object_index is not None:
        place += f", object {finding.object_index}"
    where = f" <small>{place}</small>" if place else ""
    message = _text(_below(finding.message, root))
    return (
        f'<li class="f-{name}"><span class="tag {name}">{finding.code}</span>{where} {message}'
        f'<br><span class="do">{_text(finding.action)}</span></li>\n'
    )


def _below(text: str, root: Path) -> str:
    """Leave the data root, which the title names, out of the paths in a text."""
    inside = os.path.join(root, "")  # noqa: PTH118
    # Not where another folder's name only ends like that.
    return text if inside in ("/", "") else re.sub(rf"(?<![\w./-]){re.escape(inside)}", "", text)


def _text(text: str) -> str:
    return html.escape(text.encode("utf-8", "replace").decode())
