"""report.html in a real browser: it renders, says its figures, and asks nobody for anything."""

import html
import json
import re
from pathlib import Path

import pytest

from pipelines.report.run_report import write_report
from pipelines.run_directory import RunDirectory
from tests.support.browser import browse

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def run(workshop, tmp_path_factory) -> RunDirectory:
    run = RunDirectory(workshop.copy_run(tmp_path_factory.mktemp("report") / "shapes & <colours>"))
    write_report(run)
    return run


def _rendered_with_script(run: RunDirectory, folder: Path, script: str) -> Path:
    """A copy of the page, without its ban on other scripts, that also writes what ``script`` returns into its title."""
    page = (run.path / "report.html").read_text(encoding="utf-8")
    page = re.sub(r"<meta http-equiv=[^>]*>", "", page)
    probe = f"<script>addEventListener('load', () => document.title = JSON.stringify({script}))</script>"
    path = folder / "probed.html"
    path.write_text(page.replace("</body>", probe + "</body>"), encoding="utf-8")
    return path


def test_the_page_stands_alone(run):
    page = (run.path / "report.html").read_text(encoding="utf-8")
    addresses = re.findall(r"(?:src|href)\s*=\s*[\"']?([^\"'\s>]+)", page)
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    without_pictures = re.sub(r"data:image/[a-z]+;base64,[A-Za-z0-9+/=]+", "", page)
    assert not re.search(r"https?:|file:|url\([^#]|@import|<iframe", without_pictures)
    # A sheet of training pictures, the first batch, four verification pictures; charts are drawn by the page itself.
    assert page.count("data:image/png;base64,") == 0
    assert page.count("data:image/jpeg;base64,") == 1 + 1 + 4
    assert page.count("<svg viewBox=") > 6


def test_the_page_has_the_figures_of_the_run(run):
    page = (run.path / "report.html").read_text(encoding="utf-8")
    results = run.read_results()
    for name in ("AP50", "AP", "F1"):
        assert f"<b>{results[name]:.3f}" in page
    for name in ("disc", "square"):
        assert f'<th scope="row">{name}</th>' in page
    assert "shapes &amp; &lt;colours&gt;" in page
    assert "tagbox train" in page
    assert "tensorflow 2." in page


def test_the_browser_shows_every_picture_and_has_nothing_to_complain_of(run, tmp_path):
    script = (
        "{pictures: [...document.images].map(i => i.naturalWidth), wide: document.documentElement.scrollWidth, "
        "requests: performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).map(e => e.name)}"
    )
    path = _rendered_with_script(run, tmp_path, script)
    done = browse(tmp_path / "profile", "--window-size=1200,900", "--dump-dom", path.as_uri())
    title = re.search(r"<title>(.*?)</title>", done.stdout).group(1)
    found = json.loads(html.unescape(title))
    assert len(found["pictures"]) == 6
    assert min(found["pictures"]) > 100
    assert found["wide"] <= 1200
    assert found["requests"] == []
    assert "CONSOLE" not in done.stderr
    assert "verification pictures" in done.stdout


def test_no_request_leaves_the_page(run, tmp_path):
    """Every address but the page's own is sent to a port where nobody listens, and the net log has no attempt."""
    log = tmp_path / "net.json"
    browse(
        tmp_path / "profile", f"--log-net-log={log}", "--host-resolver-rules=MAP * 127.0.0.1:9",
        "--dump-dom", (run.path / "report.html").as_uri(),
    )  # fmt: skip
    text = log.read_text(encoding="utf-8", errors="replace")
    asked = set(re.findall(r'"url":"(?:https?|ftp|wss?)://([^/"]+)', text))
    # The browser's own errands, which it runs for an empty page as well.
    assert asked - {"update.googleapis.com", "clients2.google.com", "accounts.google.com"} == set()
