"""report.html of a run: one file, no request leaves it."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectors.errors import InputError
from collectors.files import write_atomically
from labeling.label_map import read_label_map
from pipelines.detectors import RunDetector
from pipelines.evaluate import stored_experiment
from pipelines.plots import plot_training
from pipelines.predict import Predictor
from pipelines.preflight import expand
from pipelines.run_directory import RunDirectory
from pipelines.samples import write_samples, write_sheet

_STYLE = """
:root { --ink: #1c2430; --soft: #5b6675; --line: #dfe4ea; --paper: #fff; --back: #f4f6f8; --mark: #059669; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --soft: #9aa6b5; --line: #303a47; --paper: #19212b; --back: #10161d; --mark: #34d399; } }
* { box-sizing: border-box } body { margin: 0; background: var(--back); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif } main { max-width: 1060px; margin: 0 auto; padding: 24px 16px 64px }
h1 { font-size: 1.7rem; margin: 0 0 4px }
h2 { font-size: 1.15rem; margin: 36px 0 10px }
p.soft, .soft { color: var(--soft) } section { background: var(--paper); border: 1px solid var(--line);
  border-radius: 10px; padding: 14px 18px; margin: 10px 0; overflow-x: auto }
.figures { display: flex; flex-wrap: wrap; gap: 10px } .figures div { flex: 1 1 130px; background: var(--paper);
  border: 1px solid var(--line);   border-radius: 10px; padding: 10px 14px }
.figures b { display: block; font-size: 1.6rem; color: var(--mark) }
img { max-width: 100%; height: auto; display: block; border-radius: 6px; background: #fff }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: 5px 10px; border-bottom: 1px solid var(--line) }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums } pre { white-space: pre-wrap; margin: 0;
  overflow-wrap: anywhere }
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(460px, 100%), 1fr)); gap: 14px }
figure { margin: 0 } figcaption { color: var(--soft); font-size: .85rem; overflow-wrap: anywhere }
"""


@dataclass(frozen=True, slots=True)
class ReportSection:
    """One part of the page: a heading and its HTML."""

    title: str
    body: str


def write_report(run: RunDirectory, *, checkpoint: str = "best", samples: int = 12) -> Path:
    """Draw the pictures of a run and put them with its figures into ``report.html``.

    Args:
        run: A run that was trained and evaluated.
        checkpoint: Whose predictions are shown.
        samples: Number of verification pictures to show.

    Returns:
        The path of the page.

    Raises:
        InputError: The run has not been evaluated.
    """
    results = run.read_results()
    if results is None:
        raise InputError("was not evaluated yet", where=str(run.path), fix=f"Run: tagbox eval {run.path}")
    config = stored_experiment(run).params.task
    class_names = dict(read_label_map(run.label_map_path).items)
    plots = run.path / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    plot_training(run.read_rows(), plots / "training.png")
    has_sheet = write_sheet(_still_there(config.train_data.input_path), class_names, plots / "dataset.jpg")
    predictor = Predictor(RunDetector(run, checkpoint=checkpoint))
    pictures = write_samples(
        predictor, _still_there(config.validation_data.input_path), run.path / "samples", limit=samples
    )
    sections = [
        ReportSection("Training", _image(plots / "training.png", "loss and average precision over the steps")),
        ReportSection("Classes", _class_table(results)),
        ReportSection(
            f"Truth (left) and detections (right), scores from {predictor.min_score:.2f} on", _sample_grid(pictures)
        ),
        ReportSection("How this was made", _provenance(run)),
    ]
    if run.training_batch_path.is_file():
        batch = _image(run.training_batch_path, "what the network was given: pictures cropped, mirrored, put together")
        sections.insert(0, ReportSection("The first batch of training", batch))
    if has_sheet:
        sheet = _image(plots / "dataset.jpg", "training pictures with their boxes")
        sections.insert(0, ReportSection("Training pictures", sheet))
    page = render_page(run.path.resolve().name, results, sections)
    path = run.path / "report.html"
    write_atomically(path, page)
    return path


def _still_there(input_path: str | Sequence[str]) -> list[Path]:
    """Return the records; none where they were moved since. A report tells of the run, and not of today's disk."""
    try:
        return expand(input_path)
    except InputError:
        return []


def render_page(name: str, results: dict[str, Any], sections: Sequence[ReportSection]) -> str:
    """Return the whole page as text."""
    figures = "".join(
        f"<div><b>{_number(results.get(key))}</b><span class=soft>{label}</span></div>"
        for key, label in (("AP50", "AP at IoU 0.5"), ("AP", "AP, IoU 0.50 to 0.95"), ("F1", "best F1 at IoU 0.5"))
    )
    counts = f"<div><b>{results['num_images']}</b><span class=soft>verification pictures</span></div>"
    steps = f"<div><b>{results['step']}</b><span class=soft>steps ({html.escape(results['checkpoint'])})</span></div>"
    body = "".join(f"<h2>{html.escape(part.title)}</h2><section>{part.body}</section>" for part in sections)
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        '<link rel=icon href="data:,">'
        f"<title>{html.escape(name)}: tagbox report</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{html.escape(name)}</h1><p class=soft>An SSD MobileNet detector trained by tagbox</p>"
        f"<div class=figures>{figures}{counts}{steps}</div>{body}</main></body></html>\n"
    )


def _class_table(results: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td class=n>{_number(row['AP50'])}</td><td class=n>{_number(row['AP'])}</td>"
        f"<td class=n>{row['num_truth']}</td></tr>"
        for name, row in results["per_class"].items()
    )
    head = "<tr><th>class</th><th class=n>AP50</th><th class=n>AP</th><th class=n>boxes to find</th></tr>"
    return f"<table>{head}{rows}</table>"


def _sample_grid(pictures: Sequence[tuple[Path, str]]) -> str:
    if not pictures:
        return "<p class=soft>There is no verification picture.</p>"
    cells = (f"{_image(path, name)}<figcaption>{html.escape(name)}</figcaption>" for path, name in pictures)
    return "<div class=samples>" + "".join(f"<figure>{cell}</figure>" for cell in cells) + "</div>"


def _provenance(run: RunDirectory) -> str:
    environment = run.read_environment()
    command = " ".join(environment.get("command", ()))
    packages = ", ".join(f"{name} {version}" for name, version in environment.get("packages", {}).items())
    return (
        f"<pre>{html.escape(command)}</pre><p class=soft>Python {html.escape(str(environment.get('python', '?')))}; "
        f"{html.escape(packages)}; {environment.get('cpu_count', '?')} processors. The merged config with the origin "
        "of each value is config.yaml in the run folder.</p>"
    )


def _image(path: Path, alternative: str) -> str:
    kind = "png" if path.suffix == ".png" else "jpeg"
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<img alt="{html.escape(alternative, quote=True)}" src="data:image/{kind};base64,{content}">'


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
