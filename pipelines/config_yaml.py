"""Strict YAML: what a config file says, and in which line it says it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from collectors.errors import ConfigError, InputError
from pipelines.config_files import CONFIG_DIR, packaged_configs


class _StrictLoader(yaml.SafeLoader):
    """YAML where 1e-3 is a number, only true and false are booleans (not yes, on or off), and a key stands once."""


_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:bool",)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _mapping_without_twins(loader: _StrictLoader, node: yaml.MappingNode) -> dict[str, Any]:
    seen: dict[str, int] = {}
    for key_node, _ in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key_node.start_mark)
        if key_node.value in seen:
            raise ConfigError(
                f"the key `{key_node.value}` stands twice (first in line {seen[key_node.value]})",
                where=f"{key_node.start_mark.name}:{line}",
                fix="Keep one of the two.",
            )
        seen[key_node.value] = line
    return {str(key): value for key, value in loader.construct_mapping(node, deep=True).items()}


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_without_twins)


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[str, int], Path]:
    """Read a config file.

    Args:
        path: The file; the name of a packaged config works too, also as ``pipelines/configs/NAME.yaml`` anywhere.

    Returns:
        What it says, the line of each dotted key, and where the file is.

    Raises:
        InputError: There is no such file.
        ConfigError: It is not YAML, or no mapping.
    """
    packaged = CONFIG_DIR / f"{path.name.removesuffix('.yaml')}.yaml"
    if not path.is_file() and path.parent in (Path(), Path("pipelines", "configs")) and packaged.is_file():
        path = packaged
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError) as error:
        names = ", ".join(config.stem for config in packaged_configs())
        raise InputError("no such config", where=str(path), fix=f"Configs that come with tagbox: {names}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the config ({error})", where=str(path), fix="Give a YAML text file.") from error
    try:
        content, lines = parse_yaml(text, path.name)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"is not YAML: {problem_of(error)}", where=where) from error
    if not isinstance(content, dict):
        raise ConfigError("is not a mapping of keys", where=str(path), fix="Start from a file in pipelines/configs/.")
    return content, lines, path


def parse_yaml(text: str, name: str) -> tuple[Any, dict[str, int]]:
    """Return what the YAML says, and the line of each dotted key.

    Raises:
        yaml.YAMLError: It is not YAML, or has a value that no YAML reader can make sense of.
    """
    try:
        loader = _StrictLoader(text)
        loader.name = name
        node = loader.get_single_node()
        if node is None:
            return None, {}
        return loader.construct_document(node), dict(_lines_of(node))
    except (ValueError, RecursionError) as error:
        # PyYAML's own constructors of dates and numbers, and brackets nested a thousand deep.
        raise yaml.YAMLError(str(error)) from error


def problem_of(error: yaml.YAMLError) -> str:
    """Return what is wrong, in one line."""
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).splitlines()[0])


def _lines_of(node: yaml.Node, prefix: str = "") -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            key = f"{prefix}.{key_node.value}" if prefix else str(key_node.value)
            yield key, key_node.start_mark.line + 1
            yield from _lines_of(value_node, key)
