"""A pipeline.config read strictly, with the place of what is wrong."""

import difflib
import functools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from collectors.errors import ConfigError, InputError
from pipelines.odapi.pipeline_text import field_lines

SCHEMA = Path(__file__).with_name("pipeline.binpb")
ROOT = "tagbox.odapi.TrainEvalPipelineConfig"
_LARGEST = 1_000_000
_OTHER_MODELS = ("faster_rcnn", "center_net", "experimental_model")


@dataclass(slots=True)
class PipelineConfig:
    """A pipeline.config.

    Attributes:
        path: The file it was read from.
        message: The parsed ``TrainEvalPipelineConfig``; fields that are not set answer with the OD API's defaults.
        lines: Dotted path of a field -> lines at which it stands, in the order of the text.
    """

    path: Path
    message: Any
    lines: dict[str, list[int]] = field(default_factory=dict)

    def where(self, path: str, index: int = 0) -> str:
        """Return ``file:line`` of a field, or of the nearest enclosing one that stands in the file."""
        while path:
            if path in self.lines:
                lines = self.lines[path]
                return f"{self.path}:{lines[min(index, len(lines) - 1)]}"
            path = path.rpartition(".")[0]
        return str(self.path)


def is_pipeline_config(path: Path) -> bool:
    """Tell whether a file is a pipeline.config rather than YAML: by its name, or because ``model {`` stands in it."""
    if path.suffix in (".config", ".pbtxt", ".prototxt"):
        return True
    if path.suffix in (".yaml", ".yml") or not path.is_file():
        return False
    with path.open("rb") as stream:
        head = stream.read(65_536)
    return re.search(rb"^\s*(model|train_config)\s*:?\s*[{<]", head, re.MULTILINE) is not None


def read_pipeline_config(path: Path) -> PipelineConfig:
    """Read a pipeline.config; every field must be one that the schema knows.

    Args:
        path: Text proto in UTF-8, from 2017 or later.

    Raises:
        InputError: There is no such file, or it is not text.
        ConfigError: It cannot be parsed, names an unknown field, or describes a model that is no SSD.
    """
    text = _read_text(path)
    message = _message_class()()
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        _refuse_other_model(path, text)
        raise _explain_parse_error(path, text, error) from error
    except RecursionError as error:
        raise ConfigError("the messages are nested too deeply", where=str(path)) from error
    config = PipelineConfig(path, message, field_lines(text))
    _refuse_other_model(path, text)
    return config


@functools.cache
def schema() -> descriptor_pool.DescriptorPool:
    """Return the schema; made from a descriptor set, so that it works with any protobuf of Python."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(SCHEMA.read_bytes()).file:
        pool.Add(file)
    return pool


@functools.cache
def _message_class() -> Any:
    return message_factory.GetMessageClass(schema().FindMessageTypeByName(ROOT))


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError("no such config", where=str(path), fix="Give the path of a pipeline.config.") from error
    except OSError as error:
        raise InputError(f"cannot read the config ({error.strerror})", where=str(path)) from error
    if content.startswith(b"version https://git-lfs"):
        raise InputError("is a Git LFS pointer, not the config", where=str(path), fix="Fetch it with: git lfs pull")
    if content.lstrip()[:1] == b"<" and b"<html" in content[:2000].lower():
        raise InputError("is a web page, not a config", where=str(path), fix="Download the raw file.")
    if len(content) > _LARGEST or b"\0" in content:
        raise InputError("is not a text file", where=str(path), fix="Give a pipeline.config, which is text.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError("is not UTF-8 text", where=f"{path}:{line}", fix="Give a pipeline.config.") from error


def _refuse_other_model(path: Path, text: str) -> None:
    lines = field_lines(text)
    for model in _OTHER_MODELS:
        found = lines.get(f"model.{model}")
        if found and "model.ssd" not in lines:
            raise ConfigError(
                f"`{model}` is no SSD", where=f"{path}:{found[0]}", fix="tagbox trains the SSD MobileNet family."
            )


def _explain_parse_error(path: Path, text: str, error: text_format.ParseError) -> ConfigError:
    line, column = error.GetLine() or 1, error.GetColumn() or 1
    where = f"{path}:{line}:{column}"
    words = re.sub(r"^\d+:\d+\s*:\s*", "", str(error)).replace("tagbox.odapi.", "")
    if unknown := re.search(r'Message type "([\w.]+)" has no field named "([\w.]+)"', words):
        message, name = unknown.groups()
        known = sorted(schema().FindMessageTypeByName(f"tagbox.odapi.{message}").fields_by_name)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        fix = f"Did you mean `{near[0]}`?" if near else f"Known here: {', '.join(known)}."
        return ConfigError(f"there is no field `{name}` in {message}", where=where, fix=fix)
    if second := re.search(r'Field "([\w.]+)" is specified along with field "([\w.]+)"', words):
        new, old = (name.rpartition(".")[2] for name in second.groups())
        return ConfigError(f"both `{old}` and `{new}` stand here", where=where, fix="Keep one of the two.")
    if twice := re.search(r'should not have multiple "([\w.]+)" fields', words):
        name = twice.group(1).rpartition(".")[2]
        return ConfigError(f"`{name}` stands twice", where=where, fix="Keep one of the two.")
    source = text.splitlines()[line - 1].strip() if line <= len(text.splitlines()) else ""
    if source:
        words = words.replace(f"'{source}': ", "")
    return ConfigError(f"cannot be parsed: {words[:200].strip(' :.')}", where=where, fix=f"The line is: {source[:120]}")
