"""The picture of the README, made of the samples of a run of the demonstration.

``python -m tests.support.docs_picture runs/demo/samples docs/images/demo.jpg``
"""

import sys
from pathlib import Path

from PIL import Image

COLUMNS, ROWS = 2, 3
LIMIT_BYTES = 200_000
_CELL_WIDTH, _GAP = 620, 10


def tile(samples: list[Path], picture: Path) -> None:
    """Tile ``COLUMNS * ROWS`` samples, spread evenly over all, into one JPEG below ``LIMIT_BYTES``."""
    count = COLUMNS * ROWS
    if len(samples) < count:
        raise SystemExit(f"{count} samples are needed, there are {len(samples)}")
    cells = [Image.open(samples[place * len(samples) // count]).convert("RGB") for place in range(count)]
    height = round(_CELL_WIDTH * cells[0].height / cells[0].width)
    sheet = Image.new("RGB", (COLUMNS * _CELL_WIDTH + (COLUMNS - 1) * _GAP, ROWS * height + (ROWS - 1) * _GAP), "white")
    for index, cell in enumerate(cells):
        row, column = divmod(index, COLUMNS)
        sheet.paste(cell.resize((_CELL_WIDTH, height)), (column * (_CELL_WIDTH + _GAP), row * (height + _GAP)))
    for quality in range(88, 30, -4):
        sheet.save(picture, "JPEG", quality=quality, optimize=True)
        if picture.stat().st_size < LIMIT_BYTES:
            return
    raise SystemExit(f"{picture} does not fit into {LIMIT_BYTES} bytes")


if __name__ == "__main__":
    tile(sorted(Path(sys.argv[1]).glob("sample_*.jpg")), Path(sys.argv[2]))
