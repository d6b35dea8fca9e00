"""The pictures and films that a prediction takes: which they are, how a picture is read, what drawings are called."""

import glob
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps

from collectors.errors import ConfigError, InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")


def is_video(path: Path) -> bool:
    """Tell by its name whether a file is a film."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def find_pictures(sources: Sequence[Path], *, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> list[Path]:
    """Return the pictures that files, folders and patterns name, in that order, sorted within each, each once.

    Args:
        sources: Files are taken whatever their ending. Folders are searched to any depth, but not those whose name
            begins with a dot. A pattern with ``*``, ``?`` or ``[...]``, where ``**`` is any number of folders, stands
            for the files and folders it fits; of the files only pictures and films, unless it names an ending.
        suffixes: The endings that count as pictures in folders.

    Raises:
        InputError: A source does not exist, a pattern fits nothing, or there is no picture at all.
    """
    pictures: list[Path] = []
    for source in sources:
        if source.is_dir():
            pictures += _below(source, suffixes)
        elif source.is_file():
            pictures.append(source)
        elif glob.has_magic(str(source)):
            pictures += _fitting(source, suffixes)
        else:
            raise InputError("no such file or folder", where=str(source), fix="Give pictures or folders of pictures.")
    if not pictures:
        where = ", ".join(str(source) for source in sources)
        raise InputError("no picture is there", where=where, fix=f"Looked for {', '.join(suffixes)}.")
    return list(dict.fromkeys(pictures))


def read_upright(path: Path, mode: str = "RGB") -> Image.Image:
    """Decode a picture as people see it: turned as its EXIF orientation says, in a mode of Pillow's.

    Raises:
        InputError: It cannot be read, for whatever reason.
    """
    try:
        with Image.open(path) as opened:
            # A copy of an upright picture costs a quarter of its decoding.
            ImageOps.exif_transpose(opened, in_place=True)
            return opened.convert(mode)
    except Exception as error:  # Pillow's readers raise nearly anything on damaged bytes
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> InputError:
    """Return the error for a file that is no picture, or a damaged one."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"cannot be read as a picture ({reason})", where=str(path))


def _below(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    inside = (path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    return sorted(
        path for path in inside if not any(part.startswith(".") for part in path.relative_to(folder).parts[:-1])
    )


def _fitting(pattern: Path, suffixes: Sequence[str]) -> list[Path]:
    has_ending = bool(pattern.suffix) and not glob.has_magic(pattern.suffix)
    pictures: list[Path] = []
    # Path.glob takes no pattern that begins at the root.
    matches = sorted(Path(name) for name in glob.glob(str(pattern), recursive=True))  # noqa: PTH207
    for match in matches:
        if match.is_dir():
            pictures += _below(match, suffixes)
        elif match.is_file() and (has_ending or match.suffix.lower() in (*suffixes, *VIDEO_SUFFIXES)):
            pictures.append(match)
    if not pictures:
        raise InputError(
            "no picture fits this pattern",
            where=str(pattern),
            fix="** stands for any number of folders; put the pattern in quotes.",
        )
    return pictures


def name_drawings(pictures: Sequence[Path], output: Path) -> dict[Path, Path]:
    """Name the drawing of each picture after it; of pictures with one stem the later ones get a number as well.

    Args:
        pictures: Each once; films too.
        output: The folder of the drawings.

    Returns:
        A JPEG in ``output`` for each picture, a folder there for each film, no two the same, also where case makes no
        difference.

    Raises:
        ConfigError: A drawing would be written over one of the pictures.
    """
    sources = {picture.resolve() for picture in pictures}
    taken: set[str] = set()
    drawings = {}
    for picture in pictures:
        ending = picture.suffix if is_video(picture) else ".jpg"
        name, number = f"{picture.stem}{ending}", 1
        while name.casefold() in taken:
            number += 1
            name = f"{picture.stem}_{number}{ending}"
        taken.add(name.casefold())
        drawings[picture] = output / name
        if drawings[picture].resolve() in sources:
            raise ConfigError(
                "a drawing would be written over this picture",
                where=str(drawings[picture]),
                fix="Choose another folder with --output.",
            )
    return drawings
