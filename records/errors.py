"""What can be wrong with a record or with a build.

Every class stands under one of the kinds of `collectors.errors`, which decides the exit code.
"""

from pathlib import Path

from collectors.errors import ConfigError, InputError


class ExampleError(InputError):
    """The bytes of one example, or the values for one, are not a sound ``tf.train.Example``."""


class DamagedRecordError(InputError):
    """A record file is cut, or bytes in it changed.

    Args:
        what: What is wrong at that place.
        path: The record file, as text for the message.
        offset: Byte offset of the frame in which the damage lies (in the unpacked stream for a gzip file).
    """

    def __init__(self, what: str, *, path: str, offset: int) -> None:
        super().__init__(
            what,
            where=f"{path}: byte {offset}",
            fix="Build it again with: tagbox records build (or fetch it again when it came from elsewhere)",
        )
        self.path = path
        self.offset = offset

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the error whole when a worker process hands it over."""
        return _damaged_record_error, (self.what, self.path, self.offset)


class ManifestError(InputError):
    """A manifest is missing, unreadable or of another kind."""


class LabelIdsMovedError(ConfigError):
    """A label map gives a class another id than the records already built with it carry."""


class PictureChangedError(InputError):
    """A picture or its XML is not the one that was checked: it changed while the build ran."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(
            "the picture changed between the check and the build",
            where=str(path),
            fix="Let nothing write into the data folder, then run the same command again.",
        )
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the error whole when a worker process hands it over."""
        return PictureChangedError, (self.path,)


def _damaged_record_error(what: str, path: str, offset: int) -> DamagedRecordError:
    return DamagedRecordError(what, path=path, offset=offset)
