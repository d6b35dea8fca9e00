"""The HTML of a page out of its blocks: one file, no request leaves it, nothing in it is taken for markup."""

import base64
import re
from collections.abc import Sequence

from pipelines.report import blocks
from pipelines.report.markup import escaped
from pipelines.report.style import SCRIPT, SECURITY, STYLE
from pipelines.report.svg import clip_definition, legend, svg_chart

_DASH = "–"


def render_page(page: blocks.Page) -> str:
    """Return the whole page as text."""
    sections = [section for section in page.sections if section.blocks]
    anchors = _anchors([section.title for section in sections])
    links = "".join(
        f'<a href="#{anchor}">{escaped(section.title)}</a>' for anchor, section in zip(anchors, sections, strict=True)
    )
    body = "".join(
        f'<h2 id="{anchor}">{escaped(section.title)}</h2><section class="box" aria-labelledby="{anchor}">'
        f"{''.join(map(_block, section.blocks))}</section>"
        for anchor, section in zip(anchors, sections, strict=True)
    )
    figures = "".join(
        f'<div class="box"><b>{_words(one.value)}</b><span class="soft">{escaped(one.label)}</span></div>'
        for one in page.figures
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{SECURITY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escaped(page.title)}: tagbox report</title>'
        f"<style>{STYLE}</style></head><body>{clip_definition()}<main><h1>{escaped(page.title)}</h1>"
        f'<p class="soft">{escaped(page.subtitle)}</p><div class="figures">{figures}</div>'
        f'<nav aria-label="Sections">{links}</nav>{body}</main><script>{SCRIPT}</script></body></html>\n'
    )


def _anchors(titles: Sequence[str]) -> list[str]:
    """Return an id for each title: its words, and a number where two would be the same."""
    taken: list[str] = []
    for title in titles:
        words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
        taken.append(words if words not in taken else f"{words}-{len(taken) + 1}")
    return taken


def _block(block: blocks.Block) -> str:
    match block:
        case blocks.Paragraph(text, soft):
            return f"<p{_attribute('class', 'soft' if soft else '')}>{escaped(text)}</p>"
        case blocks.Heading(text):
            return f"<h3>{escaped(text)}</h3>"
        case blocks.Findings(items):
            return f'<ul class="found">{"".join(map(_finding, items))}</ul>'
        case blocks.Facts(rows):
            names = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>" for name, value in rows)
            return f"<dl>{names}</dl>"
        case blocks.Commands(rows):
            return "".join(f"<p>{escaped(what)}</p><pre>{escaped(command)}</pre>" for what, command in rows)
        case blocks.Table():
            return _table(block)
        case blocks.HeatTable():
            return _heat_table(block)
        case blocks.ChartBlock():
            return _chart(block)
        case blocks.Picture():
            return _picture(block)
        case blocks.Gallery(pictures, width_px):
            return f'<div class="gallery" style="--w:{width_px}px">{"".join(map(_picture, pictures))}</div>'
        case blocks.Row(inner):
            return f'<div class="row">{"".join(f"<div>{_block(one)}</div>" for one in inner)}</div>'
        case blocks.Folded(title, inner):
            return f"<details><summary>{escaped(title)}</summary>{''.join(map(_block, inner))}</details>"


def _finding(one: blocks.Finding) -> str:
    todo = f"<span>{escaped(one.do)}</span>" if one.do else ""
    return f'<li class="{one.tone}">{escaped(one.seen)}{todo}</li>'


def _table(table: blocks.Table) -> str:
    head = "".join(
        f'<th scope="col"{_attribute("class", "n" if column.numeric else "")}{_attribute("title", column.tip)}>'
        f"{escaped(column.title)}</th>"
        for column in table.columns
    )
    rows = "".join(
        "<tr>"
        + "".join(
            _cell(cell, numeric=column.numeric, is_head=place == 0)
            for place, (column, cell) in enumerate(zip(table.columns, row, strict=True))
        )
        + "</tr>"
        for row in table.rows
    )
    sort = " sort" if len(table.rows) > 1 else ""
    return _scrolled(
        f'<table class="wide{sort}"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>', table.caption
    )


def _scrolled(table: str, caption: str) -> str:
    """Let a wide table scroll by itself; what it is about stays in sight."""
    inside = f'<div class="scroll" tabindex="0">{table}</div>'
    return f"<figure><figcaption>{escaped(caption)}</figcaption>{inside}</figure>" if caption else inside


def _cell(cell: blocks.Cell, *, numeric: bool, is_head: bool) -> str:
    kind = _attribute("class", "n" if numeric else "")
    value = cell.value if isinstance(cell, blocks.Measured) else cell
    data = "" if isinstance(value, str) else f' data-v="{"" if value is None else value}"'
    if is_head:
        return f'<th scope="row"{kind}{data}>{_words(cell)}</th>'
    return f"<td{kind}{data}>{_words(cell)}</td>"


def _words(cell: blocks.Cell) -> str:
    match cell:
        case None:
            return _DASH
        case str():
            return escaped(cell)
        case blocks.Measured(value, low, high):
            ends = "" if low is None or high is None else f" <small>{low:.3f} to {high:.3f}</small>"
            return _words(value) + ends
        case int():
            return f"{cell:,}"
        case float():
            return f"{cell:.3f}"


def _heat_table(table: blocks.HeatTable) -> str:
    head = "".join(f'<th scope="col">{escaped(name)}</th>' for name in table.column_names)
    rows = []
    for at, (name, counts) in enumerate(zip(table.row_names, table.counts, strict=True)):
        total = max(1, sum(counts))
        cells = "".join(
            f'<td{_attribute("class", "ok" if count and place == at else "")} style="--v:{count / total:.2f}">'
            f"{count or ''}</td>"
            for place, count in enumerate(counts)
        )
        rows.append(f'<tr><th scope="row">{escaped(name)}</th>{cells}</tr>')
    corner = f'<td class="soft" style="--v:0">{escaped(table.row_title)} ↓ {escaped(table.column_title)} →</td>'
    inside = f"<thead><tr>{corner}{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return _scrolled(f'<table class="heat">{inside}</table>', table.caption)


def _chart(block: blocks.ChartBlock) -> str:
    rows = "".join(
        f'<li><svg viewBox="0 0 22 10" aria-hidden="true"><path class="l s{color}" stroke-dasharray='
        f'"{("", "6 3", "2 3")[line % 3]}" style="stroke-width:3" d="M1,5H21"/></svg>{escaped(name)}</li>'
        for color, line, name in legend(block.chart)
    )
    key = f'<ul class="legend">{rows}</ul>' if rows else ""
    caption = f"<figcaption>{escaped(block.caption)}</figcaption>" if block.caption else ""
    return f'<figure><p class="name">{escaped(block.chart.title)}</p>{svg_chart(block.chart)}{key}{caption}</figure>'


def _picture(picture: blocks.Picture) -> str:
    kind = "png" if picture.content.startswith(b"\x89PNG") else "jpeg"
    content = base64.b64encode(picture.content).decode("ascii")
    path = f"<br><code>{escaped(picture.path)}</code>" if picture.path else ""
    words = f"<figcaption>{escaped(picture.caption)}{path}</figcaption>" if picture.caption or path else ""
    image = f'<img alt="{escaped(picture.alternative)}" src="data:image/{kind};base64,{content}">'
    return f"<figure>{image}{words}</figure>"


def _attribute(name: str, value: str) -> str:
    return f' {name}="{escaped(value)}"' if value else ""
