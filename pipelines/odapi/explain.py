"""Each field of a pipeline.config: its value, whether it was set, and what becomes of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from collectors.errors import ConfigError
from pipelines.odapi.field_fates import Fate, FieldNote
from pipelines.odapi.field_notes import note_of
from pipelines.odapi.pipeline_config import PipelineConfig


@dataclass(frozen=True, slots=True)
class ExplainedField:
    """A field of a config.

    Attributes:
        path: Dotted names, such as ``model.ssd.num_classes``; repeated messages carry an index, such as ``[0]``.
        value: Text as it would stand in a config; empty for a message.
        is_set: It stands in the file; else the value is the default.
        line: Where it stands; 0 when it does not.
        fate: What becomes of it.
        note: How, or why.
    """

    path: str
    value: str
    is_set: bool
    line: int
    fate: Fate
    note: str


def explain(config: PipelineConfig) -> list[ExplainedField]:
    """Return every field of the messages that a config has, set or not, in the order of the schema.

    Of alternatives, only the chosen one is listed. A value that cannot be honoured has the fate ``unsupported``.
    """
    return [found.explained for found in _walk(config)]


def refuse_what_cannot_be_honoured(config: PipelineConfig) -> None:
    """Raise for the first value that asks for what tagbox cannot do.

    Raises:
        ConfigError: With the line of the field, the value, and what could stand there.
    """
    for found in _walk(config):
        if found.explained.fate is not Fate.UNSUPPORTED:
            continue
        field = found.explained
        name = field.path.rpartition(".")[2]
        note = found.note
        what = f"`{name}: {field.value}` cannot be honoured" if field.value else f"`{name}` cannot be honoured"
        origin = "" if field.is_set else " (the default)"
        fix = f"Write {name}: {' or '.join(_text(value) for value in note.only)}." if note.only else ""
        reason = note.note if not note.only else ""
        raise ConfigError(
            f"{what}{origin}{f': {reason}' if reason else ''}", where=config.where(_plain(field.path)), fix=fix
        )


@dataclass(frozen=True, slots=True)
class _Found:
    explained: ExplainedField
    note: FieldNote


def _walk(config: PipelineConfig) -> Iterator[_Found]:
    counts: dict[str, int] = {}
    yield from _fields_of(config, config.message, "", "", counts)


def _fields_of(
    config: PipelineConfig, message: Any, prefix: str, plain_prefix: str, counts: dict[str, int]
) -> Iterator[_Found]:
    kind = message.DESCRIPTOR
    for field in kind.fields:
        repeated, is_message = field.is_repeated, field.type == FieldDescriptor.TYPE_MESSAGE
        values = list(getattr(message, field.name)) if repeated else [getattr(message, field.name)]
        is_set = bool(values) if repeated else message.HasField(field.name)
        # An alternative that was not chosen, or a whole message that is not there, says nothing.
        if not is_set and (is_message or field.containing_oneof is not None):
            continue
        path = f"{prefix}{field.name}"
        plain = f"{plain_prefix}{field.name}"
        note = note_of(kind.name, field.name)
        if not is_message:
            line = _next_line(config, plain, counts, len(values)) if is_set else 0
            value = _text_of(field, values, repeated)
            yield _Found(ExplainedField(path, value, is_set, line, _fate(note, field, values, is_set), note.note), note)
            continue
        for index, value in enumerate(values):
            here = f"{path}[{index}]" if repeated else path
            line = _next_line(config, plain, counts, 1)
            yield _Found(ExplainedField(here, "", True, line, note.fate, note.note), note)
            yield from _fields_of(config, value, f"{here}.", f"{plain}.", counts)


def _next_line(config: PipelineConfig, plain: str, counts: dict[str, int], number: int) -> int:
    """Return the line of a field's next occurrence; a list stands for one or for as many lines as it has values."""
    lines = config.lines.get(plain, [])
    start = counts.get(plain, 0)
    counts[plain] = start + number
    return lines[min(start, len(lines) - 1)] if lines else 0


def _fate(note: FieldNote, field: FieldDescriptor, values: list[Any], is_set: bool) -> Fate:
    named = [_named(field, value) for value in values]
    if note.only:
        allowed = all(any(_equal(value, possible) for possible in note.only) for value in named)
        return note.fate if allowed else Fate.UNSUPPORTED
    if note.exact and all(any(_equal(value, exact) for exact in note.exact) for value in named):
        return Fate.HONOURED
    # What tagbox has not at all does no harm as long as nobody asks for it.
    return Fate.IGNORED if note.fate is Fate.UNSUPPORTED and not is_set else note.fate


def _equal(value: Any, possible: Any) -> bool:
    if isinstance(value, float) and isinstance(possible, float):
        return abs(value - possible) <= 1e-6 * max(abs(possible), 1.0)
    return bool(value == possible)


def _named(field: FieldDescriptor, value: Any) -> Any:
    return field.enum_type.values_by_number[value].name if field.enum_type else value


def _text_of(field: FieldDescriptor, values: list[Any], repeated: bool) -> str:
    texts = [_text(_named(field, value), quoted=field.type == FieldDescriptor.TYPE_STRING) for value in values]
    return f"[{', '.join(texts)}]" if repeated else texts[0]


def _text(value: Any, *, quoted: bool = False) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.7g}"
    return f'"{value}"' if quoted else str(value)


def _plain(path: str) -> str:
    return ".".join(part.partition("[")[0] for part in path.split("."))
