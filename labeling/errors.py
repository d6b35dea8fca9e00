"""What can go wrong with labels, as errors of the one hierarchy.

InputError
├── AnnotationError     one XML file cannot be read as an annotation (carries the code of the check)
├── DatasetError        a folder is not there or holds nothing to work on
└── RepairError         a repair cannot be begun, finished or undone
ConfigError
└── LabelMapError       a label map is broken, or cannot be extended as asked
"""

from collectors.errors import ConfigError, InputError


class AnnotationError(InputError):
    """One annotation file cannot be read, or an annotation cannot be written.

    Attributes:
        code: The stable code of the check that refuses it, for example ``X01``; see `labeling.codes`.
        line: Line of the file, from 1, or ``None``.
    """

    def __init__(self, what: str, *, code: str, where: str = "", fix: str = "", line: int | None = None) -> None:
        super().__init__(what, where=where, fix=fix)
        self.code = code
        self.line = line


class DatasetError(InputError):
    """A folder is missing, cannot be listed, or holds no labels at all."""


class RepairError(InputError):
    """A repair cannot be begun, finished or undone as things are; nothing was changed."""


class LabelMapError(ConfigError):
    """A label map is broken (the message has file and line), or cannot hold what it is asked to."""
