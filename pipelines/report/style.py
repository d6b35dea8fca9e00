"""How pages look, light and dark, on a screen and on paper; and their one script, which sorts tables."""

import base64
import hashlib

# Okabe and Ito's colours, which stay apart for eyes that see red and green alike, darker or lighter for the contrast.
_LIGHT = ("#0072b2", "#c24f00", "#00805e", "#b04a86", "#8a6d00", "#2b8cc4", "#1f2937", "#7a3fb0")
_DARK = ("#56b4e9", "#f08c3a", "#2fc99c", "#e39ac6", "#e6c229", "#9ad2f5", "#cbd5e1", "#c39bf0")


def _variables(colors: tuple[str, ...]) -> str:
    return "".join(f"--c{place}:{color};" for place, color in enumerate(colors))


_SERIES = "".join(
    f".s{place}{{stroke:var(--c{place})}}.f{place}{{fill:var(--c{place});background:var(--c{place})}}"
    for place in range(len(_LIGHT))
)

STYLE = f"""
:root {{ color-scheme: light dark; --ink:#1c2430; --soft:#556070; --line:#d9dfe6; --paper:#fff; --back:#f4f6f8;
  --mark:#047857; --bad:#b42318; --link:#0b63a5; {_variables(_LIGHT)} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ --ink:#e6eaf0; --soft:#a3aebc; --line:#303a47;
  --paper:#19212b; --back:#10161d; --mark:#34d399; --bad:#ff9c8f; --link:#7cc0f4; {_variables(_DARK)} }} }}
* {{ box-sizing: border-box }}
body {{ margin:0; background:var(--back); color:var(--ink); font:16px/1.5 system-ui,sans-serif }}
main {{ max-width:1100px; margin:0 auto; padding:24px 16px 64px }}
h1 {{ font-size:1.7rem; line-height:1.2; margin:0 0 4px; overflow-wrap:anywhere }}
h2 {{ font-size:1.2rem; margin:34px 0 10px }} h3 {{ font-size:1rem; margin:16px 0 6px }}
p {{ margin:0 0 10px; max-width:75ch; overflow-wrap:anywhere }} .soft,figcaption {{ color:var(--soft) }}
nav {{ display:flex; flex-wrap:wrap; gap:2px 14px; margin:14px 0 }} a {{ color:var(--link) }}
.box {{ background:var(--paper); border:1px solid var(--line); border-radius:10px; padding:14px 16px }}
.figures {{ display:flex; flex-wrap:wrap; gap:10px }} .figures div {{ flex:1 1 140px; padding:10px 14px }}
.figures b {{ display:block; font-size:1.6rem; color:var(--mark); line-height:1.25 }}
.figures small {{ display:block; font-size:.875rem; font-weight:400; color:var(--soft) }}
.row {{ display:grid; grid-template-columns:repeat(auto-fit,minmax(min(400px,100%),1fr)); gap:18px 26px }}
.row>* {{ min-width:0 }} figure {{ margin:0 0 10px; break-inside:avoid }}
figcaption {{ font-size:.875rem; overflow-wrap:anywhere }} .name {{ font-weight:600; margin:0 0 4px }}
img {{ max-width:100%; height:auto; display:block; border-radius:6px }}
.gallery {{ display:grid; gap:14px; grid-template-columns:repeat(auto-fill,minmax(min(var(--w),100%),1fr)) }}
.scroll {{ overflow-x:auto; max-width:100% }}
.scroll+.scroll {{ margin-top:18px }} table {{ border-collapse:collapse }} .wide {{ width:100% }}
th,td {{ text-align:left; padding:4px 10px 4px 0; border-bottom:1px solid var(--line); vertical-align:top;
  overflow-wrap:anywhere }} tbody th {{ font-weight:400; min-width:7em }} thead th {{ overflow-wrap:normal }}
.n {{ text-align:right; font-variant-numeric:tabular-nums; white-space:nowrap; padding-left:10px }}
td small {{ color:var(--soft) }} th button {{ all:unset; cursor:pointer; text-decoration:underline dotted }}
th button:focus-visible {{ outline:2px solid var(--link) }}
.heat td {{ text-align:center; min-width:2.6em; padding:4px 6px; border:1px solid var(--line);
  background:color-mix(in srgb,var(--c0) calc(var(--v)*55%),transparent) }} .heat th {{ padding:4px 8px }}
.heat thead th {{ max-width:9em }} .heat .ok {{ outline:2px solid var(--mark); outline-offset:-2px }}
dl {{ display:grid; grid-template-columns:minmax(7em,max-content) 1fr; gap:4px 16px; margin:0 }}
dt {{ color:var(--soft) }} dd {{ margin:0; overflow-wrap:anywhere; min-width:0 }}
pre,code {{ font:.875rem/1.5 ui-monospace,monospace; overflow-wrap:anywhere }} pre {{ white-space:pre-wrap;
  margin:0 0 8px; padding:8px 10px; background:var(--back); border-radius:6px }}
ul.found {{ list-style:none; margin:0; padding:0 }} ul.found li {{ border-left:4px solid var(--line); margin:0 0 8px;
  padding:2px 0 2px 12px; overflow-wrap:anywhere }} ul.found .bad {{ border-color:var(--bad) }}
ul.found .good {{ border-color:var(--mark) }} ul.found span {{ display:block; color:var(--soft) }}
summary {{ cursor:pointer; margin:8px 0 }}
svg {{ width:100%; max-width:620px; height:auto; display:block }} svg text {{ font-size:11.5px; fill:var(--soft) }}
.l {{ fill:none; stroke-width:1.6; stroke-linejoin:round; stroke-linecap:round }} .g {{ stroke:var(--line) }}
.a {{ fill:none; stroke:var(--soft) }} .d,.m {{ fill:none; stroke:var(--soft); stroke-dasharray:4 4 }}
.legend {{ display:flex; flex-wrap:wrap; gap:2px 14px; list-style:none; margin:2px 0 6px; padding:0;
  font-size:.875rem }}
.legend li {{ overflow-wrap:anywhere }} .legend svg {{ display:inline-block; width:22px; height:10px;
  margin-right:5px }}
{_SERIES}
@media (max-width: 520px) {{ svg text {{ font-size:14px }} .box {{ padding:12px }} }}
@media print {{ body {{ background:none; font-size:11pt }} main {{ max-width:none; padding:0 }} nav {{ display:none }}
  .box {{ border:0; padding:0 }} h2 {{ break-after:avoid }} tr,li {{ break-inside:avoid }}
  details::details-content {{ content-visibility:visible; height:auto }} * {{ print-color-adjust:exact }} }}
"""

SCRIPT = """
for (const head of document.querySelectorAll('table.sort thead th')) {
  const button = document.createElement('button');
  button.type = 'button'; button.title = 'sort by this column';
  button.append(...head.childNodes); head.append(button);
  button.addEventListener('click', () => {
    const table = head.closest('table'), body = table.tBodies[0], at = head.cellIndex;
    const down = head.getAttribute('aria-sort') === 'descending';
    for (const other of head.parentNode.cells) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'ascending' : 'descending');
    const key = row => { const cell = row.cells[at]; return cell.dataset.v ?? cell.textContent; };
    const order = (a, b) => {
      const x = key(a), y = key(b);
      if (x === '' || y === '') return (x === '') - (y === '') || 0;
      const way = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
      return down ? way : -way;
    };
    body.append(...[...body.rows].sort(order));
  });
}
"""

SECURITY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-"
    + base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    + "'"
)
"""Nothing of the data can make a page fetch or run anything."""
