"""The figures of a dataset card."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from records.attribution_totals import AttributionTotals, attribution_totals
from records.manifest import Manifest
from records.plan import SPLITS


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Pictures that show a class, its boxes, and those of them marked difficult or truncated, in one split."""

    num_pictures: int
    num_boxes: int
    num_difficult: int
    num_truncated: int


@dataclass(frozen=True, slots=True)
class CardTotals:
    """The figures of a card.

    Attributes:
        classes: Counts by class name and split; classes in the order of the label map, those without a box too.
        pictures: Examples by split.
        negatives: Examples without a box, by split.
        refused: Labelled pictures that stayed out, by code.
        num_unlabeled: Pictures without labels beside them.
        sizes_px: Smallest and largest width and height, ``((min, max), (min, max))``; zeros without pictures.
        attribution: Who made the pictures.
    """

    classes: Mapping[str, Mapping[str, ClassCounts]]
    pictures: Mapping[str, int]
    negatives: Mapping[str, int]
    refused: Mapping[str, int]
    num_unlabeled: int
    sizes_px: tuple[tuple[int, int], tuple[int, int]]
    attribution: AttributionTotals

    def as_json(self) -> dict[str, Any]:
        """The totals as a JSON object."""
        return {
            "pictures": dict(self.pictures),
            "negatives": dict(self.negatives),
            "classes": {
                name: {
                    split: {
                        "pictures": one.num_pictures,
                        "boxes": one.num_boxes,
                        "difficult": one.num_difficult,
                        "truncated": one.num_truncated,
                    }
                    for split, one in by_split.items()
                }
                for name, by_split in self.classes.items()
            },
            "refused": dict(self.refused),
            "unlabeled": self.num_unlabeled,
            "attribution": self.attribution.as_json(),
        }


def totals_of(listed: Manifest, data_root: Path | None) -> CardTotals:
    """Count what a manifest lists.

    Args:
        listed: The manifest.
        data_root: The folder whose ledger knows who made the pictures; ``None`` for none.

    Raises:
        InputError: The ledger cannot be read.
    """
    pictures, negatives, refused = Counter[str](), Counter[str](), Counter[str]()
    seen: Counter[tuple[str, str, str]] = Counter()
    posts: dict[str, frozenset[str]] = {}
    widths, heights = [], []
    unlabeled = 0
    for entry in listed.records:
        refused.update(item.code for item in entry.refused)
        unlabeled += entry.num_unlabeled
        for source in entry.all_examples():
            pictures[entry.split] += 1
            negatives[entry.split] += not source.objects
            widths.append(source.width)
            heights.append(source.height)
            urls = getattr(source, "post_urls", ())
            posts[source.image_sha256] = posts.get(source.image_sha256, frozenset()) | frozenset(urls)
            seen.update((name, entry.split, "pictures") for name in {item.text for item in source.objects})
            for item in source.objects:
                seen[item.text, entry.split, "boxes"] += 1
                seen[item.text, entry.split, "difficult"] += item.difficult
                seen[item.text, entry.split, "truncated"] += item.truncated
    kinds = ("pictures", "boxes", "difficult", "truncated")
    return CardTotals(
        classes={
            name: {split: ClassCounts(*(seen[name, split, kind] for kind in kinds)) for split in SPLITS}
            for _, name in listed.label_map
        },
        pictures={split: pictures[split] for split in SPLITS},
        negatives={split: negatives[split] for split in SPLITS},
        refused=dict(sorted(refused.items())),
        num_unlabeled=unlabeled,
        sizes_px=(
            (min(widths, default=0), max(widths, default=0)),
            (min(heights, default=0), max(heights, default=0)),
        ),
        attribution=attribution_totals(posts, data_root),
    )
