"""The report of a classifier: its figures, each class, what is taken for what, and its surest mistakes."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from collectors.errors import InputError
from collectors.files import atomic_writer
from pipelines import run_kinds
from pipelines.classification.mosaic import Tile, draw_mosaic, picture_of
from pipelines.classification.predictions_file import StoredAnswer, read_answers
from pipelines.plots import save_confusion
from pipelines.report.blocks import (
    Block,
    Column,
    Finding,
    HeatTable,
    KeyFigure,
    Paragraph,
    Picture,
    Section,
    Table,
)
from pipelines.report.class_findings import rarely_judged, weakest
from pipelines.report.data import data_section
from pipelines.report.report_kind import ReportKind
from pipelines.report.run_files import RunFiles
from records.reading import read_features_at

_MOST_CONFUSED = 25
_MOST_PAIRS = 40
_TILES = 45
_FAR_BELOW = 0.15
_FEW_PICTURES = 50


def key_figures(files: RunFiles) -> list[KeyFigure]:
    """Return the accuracies; the first two with their intervals."""
    return [
        KeyFigure("top-1 accuracy", files.measured("top1")),
        KeyFigure("top-5 accuracy", files.measured("top5")),
        KeyFigure("mean over the classes", files.results["macro_top1"]),
    ]


def findings_of(files: RunFiles) -> list[Finding]:
    """Return what the results say to do next."""
    results, findings = files.results, []
    if num_unknown := results["num_unknown"]:
        findings.append(
            Finding(
                f"{num_unknown} verification pictures are of classes that the network does not have.",
                "Each counts as a mistake; train with their classes, or leave them out.",
            )
        )
    trained = [float(row["training_top1"]) for row in files.rows if row.get("training_top1")]
    if trained and results["top1"] is not None and trained[-1] - results["top1"] > _FAR_BELOW:
        findings.append(
            Finding(
                f"In training {trained[-1]:.3f} are right, of the verification pictures {results['top1']:.3f}: the "
                "network learns its pictures by heart.",
                "More pictures, more augmentation (task.train_data.augmentation), more dropout or fewer steps.",
            )
        )
    judged = {name: row for name, row in results["per_class"].items() if row["top1"] is not None}
    findings += weakest(
        {name: row["top1"] for name, row in judged.items()},
        results["macro_top1"] or 0,
        "The classes that are missed most",
        "See below what they are taken for.",
    )
    findings += rarely_judged(
        {name: row["num_truth"] for name, row in judged.items()},
        _FEW_PICTURES,
        "classes have",
        "Their own figures are rough.",
    )
    return findings


def sections_of(files: RunFiles) -> list[Section]:
    """Return the parts of the page that only a classifier has, and write its pictures."""
    data = data_section(files, counted="pictures", batch=first_batch(files))
    if not files.results:
        return [data]
    return [data, Section("Each class", [_class_table(files.results)]), _confusion(files), *_pictures(files)]


def first_batch(files: RunFiles) -> Picture | None:
    """Return the picture of the first batch, where there is one."""
    path = files.run.training_batch_path
    if not path.is_file():
        return None
    words = "The first batch as the network was given it, varied as the config says."
    return Picture(path.read_bytes(), "the first batch of training with its classes", words)


def _class_table(results: Mapping[str, Any]) -> Table:
    columns = [
        Column("class", numeric=False),
        Column("top-1", tip="share of its pictures that are taken for it"),
        Column("precision", tip="share of what is taken for it that is it"),
        Column("pictures", tip="of verification"),
    ]
    rows = [[name, row["top1"], row["precision"], row["num_truth"]] for name, row in results["per_class"].items()]
    return Table(columns, rows)


def _confusion(files: RunFiles) -> Section:
    confusion = files.json("confusion.json")
    if not confusion or not confusion["names"]:
        return Section("What is taken for what", [])
    names, counts = confusion["names"], confusion["counts"]
    shown = _most_confused(counts)
    table = HeatTable(
        "truth", "taken for", [names[at] for at in shown], [names[at] for at in shown],
        [[counts[row][column] for column in shown] for row in shown],
        "" if len(shown) == len(names) else f"The {len(shown)} of {len(names)} classes with the most mistakes.",
    )  # fmt: skip
    save_confusion(table, files.run.path / "plots" / "confusion.png")
    blocks: list[Block] = [table]
    pairs = [
        (counts[row][column], names[row], names[column], sum(counts[row]))
        for row in range(len(names))
        for column in range(len(names))
        if row != column and counts[row][column]
    ]
    if pairs:
        pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
        columns = [Column("truth", numeric=False), Column("taken for", numeric=False)]
        columns += [Column("pictures"), Column("share")]
        rows = [[truth, found, count, count / of] for count, truth, found, of in pairs[:_MOST_PAIRS]]
        blocks.append(Table(columns, rows, "The most frequent mistakes; share of the pictures of the class."))
    return Section("What is taken for what", blocks)


def _most_confused(counts: Sequence[Sequence[int]]) -> list[int]:
    """Return the classes with the most mistakes, in their order; all where they are few."""
    columns = list(zip(*counts, strict=True))
    mistakes = [sum(counts[at]) + sum(columns[at]) - 2 * counts[at][at] for at in range(len(counts))]
    return sorted(sorted(range(len(counts)), key=lambda at: -mistakes[at])[:_MOST_CONFUSED])


def _pictures(files: RunFiles) -> list[Section]:
    """Draw the surest mistakes and a cross section of the verification set into ``samples/``."""
    paths = files.records("task.validation_data.input_path")
    try:
        answers = read_answers(files.run.path)
    except InputError:
        answers = []
    if not paths or not answers:
        words = "The verification records are not where they were." if answers else "There is no predictions.csv."
        return [Section("Verification pictures", [Paragraph(words)])]
    wrong = [row for row, answer in enumerate(answers) if not answer.is_right]
    wrong.sort(key=lambda row: (-answers[row].scores[0], row))
    spread = sorted({round(number * (len(answers) - 1) / (_TILES - 1)) for number in range(_TILES)})
    every = files.value("task.validation_data.sample_1_of_n", 1)
    tiles = _tiles(paths, answers, {*wrong[:_TILES], *spread}, every)
    return [
        mosaic_section(
            files, "Mistakes", "mistakes.jpg", draw_mosaic([tiles[row] for row in wrong[:_TILES] if row in tiles]),
            f"The {min(len(wrong), _TILES)} surest of {len(wrong)} mistakes, surest first: what each was taken for, "
            "and what it is. Some may be labels that are wrong.",
        ),
        mosaic_section(
            files, "Verification pictures", "pictures.jpg", draw_mosaic([tiles[row] for row in spread if row in tiles]),
            "A cross section in the order of the records: what each was taken for; mistakes in red, with the truth.",
        ),
    ]  # fmt: skip


def _tiles(paths: Sequence[Any], answers: Sequence[StoredAnswer], rows: set[int], every: int) -> dict[int, Tile]:
    """Return the pictures of some answers by the place of the answer; an evaluation goes over the records in order."""
    rows_by_place = {row * every: row for row in rows}
    tiles: dict[int, Tile] = {}
    for place, features in read_features_at(paths, rows_by_place):
        row = rows_by_place[place]
        answer = answers[row]
        tiles[row] = Tile(picture_of(features), answer.truth or "?", answer.found[0], answer.scores[0])
    return tiles


def mosaic_section(files: RunFiles, title: str, name: str, mosaic: Image.Image | None, caption: str) -> Section:
    """Write a mosaic into ``samples/``, and return it as a part of the page; ``None`` removes an older one."""
    path = files.run.path / "samples" / name
    if mosaic is None:
        path.unlink(missing_ok=True)
        return Section(title, [Paragraph("There is none.")])
    path.parent.mkdir(parents=True, exist_ok=True)
    content = _jpeg(mosaic)
    with atomic_writer(path) as stream:
        stream.write(content)
    return Section(title, [Picture(content, caption, caption)])


def _jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=88)
    return stream.getvalue()


CLASSIFIER = ReportKind(
    kind=run_kinds.CLASSIFIER,
    words="A classifier",
    curves=(("top1", "top-1"), ("top5", "top-5"), ("training_top1", "top-1 in training")),
    figures=key_figures,
    findings=findings_of,
    sections=sections_of,
)
