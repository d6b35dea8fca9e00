"""Reports in a real browser: they render, fit a telephone, sort, follow the dark, and ask nobody for anything."""

import html
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from pipelines.comparison import compare
from pipelines.report.comparison_page import write_comparison
from pipelines.report.run_report import write_report
from tests.support.browser import browse
from tests.support.synthetic_runs import write_run

_NAMES = {1: "cat", 2: "浣熊 <b>", 3: "a-very-long-class-name-without-any-place-to-break-it-anywhere-at-all"}
# Both pages in frames as wide as telephones, and what they say of themselves.
_TELEPHONES = """<!DOCTYPE html><title>wait</title>{frames}<script>
addEventListener('load', () => {{
  const pages = [...document.querySelectorAll('iframe')].map(frame => {{
    const page = frame.contentDocument, root = page.documentElement;
    const head = page.querySelector('table.sort thead th button');
    const first = () => head.closest('table').tBodies[0].rows[0].cells[0].textContent;
    head.click(); const down = first(); head.click();
    return {{
      wide: root.scrollWidth, shown: root.clientWidth,
      pictures: [...page.images].map(image => image.naturalWidth),
      charts: [...page.querySelectorAll('figure > svg')].map(svg => Math.round(svg.getBoundingClientRect().width)),
      sorted: [down, first()], labels: [...page.querySelectorAll('figure > svg')].every(svg => svg.ariaLabel),
      letters: [...page.querySelectorAll('figure > svg text')].filter(text => text.textContent)
        .map(text => text.getBoundingClientRect().height),
      requests: frame.contentWindow.performance.getEntriesByType('resource').map(entry => entry.name)
        .filter(name => !name.startsWith('data:')),
    }};
  }});
  document.title = JSON.stringify(pages);
}});
</script>"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> list[Path]:
    """The report of a run, and a comparison of two."""
    root = tmp_path_factory.mktemp("pages")
    runs = [write_run(root / name, _NAMES, num_images=12) for name in ("first", "second")]
    write_comparison(runs, compare(runs, resamples=100), root / "compare.html")
    return [write_report(runs[0]), root / "compare.html"]


def test_on_a_telephone_nothing_is_cut_and_tables_sort(pages, tmp_path):
    frames = "".join(f'<iframe width="360" height="700" src="{page.as_uri()}"></iframe>' for page in pages)
    wrapper = tmp_path / "telephones.html"
    wrapper.write_text(_TELEPHONES.format(frames=frames), encoding="utf-8")
    done = browse(
        tmp_path / "profile", "--allow-file-access-from-files", "--window-size=1000,900", "--dump-dom",
        wrapper.as_uri(),
    )  # fmt: skip
    report, comparison = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", done.stdout).group(1)))
    for page in (report, comparison):
        assert page["wide"] <= page["shown"] <= 360
        assert page["requests"] == []
        assert page["labels"]
        assert min(page["charts"]) > 250
        assert min(page["letters"]) > 8
        assert page["sorted"][0] != page["sorted"][1]
    assert len(report["pictures"]) > 12
    assert min(report["pictures"]) > 50
    assert len(report["charts"]) >= 9
    # A script that the page's own rule forbids, a broken picture or a bad style would be complained of here.
    assert "CONSOLE" not in done.stderr


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_light_and_dark(pages, tmp_path, scheme):
    picture = tmp_path / "page.png"
    dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    done = browse(tmp_path / "profile", *dark, "--window-size=900,700", f"--screenshot={picture}", pages[0].as_uri())
    with Image.open(picture) as image:
        red, green, blue = image.convert("RGB").getpixel((3, 3))
    assert (max(red, green, blue) < 60) == (scheme == "dark")
    assert "CONSOLE" not in done.stderr
