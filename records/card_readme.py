"""The README.md of a records folder: what is in it, for whoever is handed the folder."""

from collections.abc import Iterator, Sequence

from collectors.attribution import LICENCE_NOTE
from records.card_totals import CardTotals
from records.croissant import CardWords
from records.manifest import Manifest
from records.plan import SPLITS

# By this line a later card knows the file as its own.
FIRST_LINE = "<!-- written by `tagbox records card`, which writes it anew: keep your own words in another file -->"


def format_readme(words: CardWords, totals: CardTotals, listed: Manifest) -> str:
    """Return the text of README.md; the same for the same arguments, ending in a line feed.

    Args:
        words: What the person said of the dataset.
        totals: The figures.
        listed: The manifest.
    """
    parts = [
        FIRST_LINE,
        "",
        f"# {_line(words.name)}",
        "",
        words.description.strip(),
        "",
        *_counts(totals),
        *_left_out(totals),
        *_rights(words, totals),
        *_files(listed),
        *_use(),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _counts(totals: CardTotals) -> Iterator[str]:
    yield "## Classes"
    yield ""
    rows = [
        [
            name,
            *(str(by_split[split].num_pictures) for split in SPLITS),
            *(str(by_split[split].num_boxes) for split in SPLITS),
            str(sum(one.num_difficult for one in by_split.values())),
            str(sum(one.num_truncated for one in by_split.values())),
        ]
        for name, by_split in totals.classes.items()
    ]
    yield from _table(
        [
            "class",
            *(f"{split} pictures" for split in SPLITS),
            *(f"{split} boxes" for split in SPLITS),
            "difficult",
            "truncated",
        ],
        rows,
    )
    yield ""
    for split in SPLITS:
        pictures, negatives = _count(totals.pictures[split], "picture"), totals.negatives[split]
        yield f"* {split}: {pictures}, {negatives} of them without any object"
    (narrow, wide), (low, high) = totals.sizes_px
    yield f"* pictures are {narrow} to {wide} px wide and {low} to {high} px high"
    yield ""


def _left_out(totals: CardTotals) -> Iterator[str]:
    yield "## Left out"
    yield ""
    if not totals.refused and not totals.num_unlabeled:
        yield "Nothing: every picture that was labelled is here."
    elif totals.refused:
        yield "Labelled pictures that the checks refused, each with its reason in `manifest.json`:"
        yield ""
        yield from _table(["code", "pictures"], [[code, str(count)] for code, count in totals.refused.items()])
    if totals.num_unlabeled:
        yield ""
        yield f"Pictures beside them that nobody labelled: {totals.num_unlabeled}."
    yield ""


def _rights(words: CardWords, totals: CardTotals) -> Iterator[str]:
    who = totals.attribution
    yield "## Licence and attribution"
    yield ""
    yield f"Licence of the dataset: {', '.join(words.licences)}." if words.licences else "No licence was declared."
    yield ""
    if who.num_credited:
        blogs = f" first posted by {_count(who.num_blogs, 'blog')}," if who.num_blogs else ""
        posts = _count(who.num_posts, "public post")
        yield (
            f"* {who.num_credited} of {who.num_pictures} different pictures come from {posts},"
            f"{blogs} and the rights remain with their authors: {LICENCE_NOTE}"
        )
    if who.num_nsfw:
        yield f"* {who.num_nsfw} pictures are marked by their posts as not safe for work"
    if who.num_drawings:
        yield (
            f"* {who.num_drawings} drawings were collected for it from the Quick, Draw! Dataset, made available by "
            "Google, Inc. under [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)"
        )
    if who.num_unknown:
        yield f"* the origin of {who.num_unknown} of {who.num_pictures} different pictures is not known to tagbox"
    if not who.num_pictures:
        yield "* there are no pictures"
    if words.creator:
        yield f"* made by {_line(words.creator)}"
    if words.url:
        yield f"* more: <{words.url}>"
    if words.citation:
        yield ""
        yield "```text"
        yield words.citation.strip()
        yield "```"
    yield ""


def _files(listed: Manifest) -> Iterator[str]:
    yield "## Files"
    yield ""
    rows = [
        [f"`{shard.file}`", entry.split, str(shard.num_examples), str(shard.num_bytes), f"`{shard.sha256}`"]
        for entry in listed.records
        for shard in entry.shards
    ]
    yield from _table(["file", "split", "pictures", "bytes", "SHA-256"], rows)
    yield ""
    yield "* `label_map.pbtxt`, `label_map.csv`: which id each class has"
    yield "* `manifest.json`: every picture with its boxes, its source files and their hashes, and what was left out"
    yield "* `croissant.json`: this card for programs ([Croissant](https://docs.mlcommons.org/croissant/) 1.0)"
    yield ""


def _use() -> Iterator[str]:
    yield "## Use"
    yield ""
    yield "```sh"
    yield "tagbox records verify ."
    yield "tagbox train ssd_mobilenet_v1 --records ."
    yield "```"
    yield ""
    yield "TensorFlow Model Garden's `TfExampleDecoder` and the Object Detection API read the examples as they are."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(headings) + " |"
    yield "|" + "---|" * len(headings)
    for row in rows:
        yield "| " + " | ".join(_line(cell) for cell in row) + " |"


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
