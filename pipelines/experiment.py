"""A config file becomes a TFM experiment: loaded strictly, overridden, every value with its origin."""

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from official.core import config_definitions as tfm
from official.core import exp_factory
from official.modeling import hyperparams

import pipelines.detection.experiments
from collectors.errors import ConfigError, InputError
from pipelines.config_files import CONFIG_DIR, packaged_configs
from pipelines.config_values import annotation_of, fits, group_behind, impossible_value, kind_in_words, takes_any_number
from pipelines.odapi.pipeline_config import is_pipeline_config, read_pipeline_config

_EXPERIMENT_KEY = "experiment"


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


@dataclasses.dataclass(slots=True)
class Experiment:
    """A loaded experiment.

    Attributes:
        name: The registered experiment it starts from.
        params: The merged TFM config.
        origins: Dotted key -> where its value comes from (``file:line``, ``--set``...); a key that is absent has the
            default of the registered experiment.
        unconfigured: Dotted key -> ``file:line`` that still says ``PATH_TO_BE_CONFIGURED`` for it.
    """

    name: str
    params: tfm.ExperimentConfig
    origins: dict[str, str]
    unconfigured: dict[str, str] = dataclasses.field(default_factory=dict)

    def set(self, key: str, value: Any, origin: str) -> None:
        """Give a dotted key a value, checked like one from a file.

        Raises:
            ConfigError: There is no such key, or the value has the wrong type.
        """
        _check_value(self.params, key.split("."), value, origin)
        self.params.override(_nested(key, value), is_strict=True)
        for leaf, given in leaves_of(value, key):
            _settle_number(self.params, leaf.split("."), given)
            self.origins[leaf] = origin
            self.unconfigured.pop(leaf, None)


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> Experiment:
    """Load a YAML config or a pipeline.config of the OD API, and apply ``key=value`` overrides.

    Args:
        path: The file; the name of a packaged config works too, also as ``pipelines/configs/NAME.yaml`` anywhere.
        overrides: Words such as ``trainer.train_steps=500``; the value is read as YAML.

    Raises:
        InputError: There is no such file.
        ConfigError: It is not YAML, names no known experiment, or has an unknown key or a value of the wrong type.
    """
    experiment = _load_pipeline_config(path) if is_pipeline_config(path) else _load_yaml(path)
    for override in overrides:
        apply_override(experiment, override)
    _refuse_impossible(experiment)
    return experiment


def _load_yaml(path: Path) -> Experiment:
    content, lines, path = _read_yaml(path)
    name = content.pop(_EXPERIMENT_KEY, None)
    experiment = Experiment(str(name), _registered(name, path), {})
    for key, value in leaves_of(content) if content else ():
        line = lines.get(key)
        experiment.set(key, value, f"{path.name}:{line}" if line else path.name)
    return experiment


def _load_pipeline_config(path: Path) -> Experiment:
    from pipelines.odapi.translate import to_experiment  # it makes Experiments

    return to_experiment(read_pipeline_config(path))


def _refuse_impossible(experiment: Experiment) -> None:
    # TFM offers a choice (optimizer, learning rate, warm-up) as `type` beside one group for each.
    for name in ("optimizer", "learning_rate", "warmup"):
        choice = getattr(experiment.params.trainer.optimizer_config, name)
        known = sorted(field.name for field in dataclasses.fields(choice) if field.name != "type")
        if choice.type not in known and not (choice.type is None and name == "warmup"):
            key = f"trainer.optimizer_config.{name}.type"
            _refuse_value(experiment, key, choice.type, f"must be one of {', '.join(known)}")
    values = dict(leaves_of(experiment.params.as_dict()))
    if found := impossible_value(values):
        key, must_be = found
        _refuse_value(experiment, key, values[key], must_be)


def _refuse_value(experiment: Experiment, key: str, value: Any, must_be: str) -> NoReturn:
    raise ConfigError(f"`{key}` is {value!r}", where=experiment.origins.get(key, ""), fix=f"It {must_be}.")


def apply_override(experiment: Experiment, override: str) -> None:
    """Apply one ``key=value``; see `load_experiment` for the errors."""
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"cannot read `{override}`", where="--set", fix="Write it as --set trainer.train_steps=500.")
    try:
        value, _ = _parse(text, "--set")
    except yaml.YAMLError as error:
        raise ConfigError(f"the value of `{key}` is not YAML: {_problem_of(error)}", where="--set") from error
    experiment.set(key.strip(), value, "--set")


def dump_experiment(experiment: Experiment) -> str:
    """Write the merged config as YAML, each value with its origin as a comment; `load_experiment` reads it back."""
    lines = [f"{_EXPERIMENT_KEY}: {experiment.name}"]
    _dump_into(lines, experiment.params.as_dict(), experiment.origins, "", 0)
    return "\n".join(lines) + "\n"


def _dump_into(lines: list[str], tree: Mapping[str, Any], origins: Mapping[str, str], prefix: str, depth: int) -> None:
    for key, value in tree.items():
        dotted = f"{prefix}.{key}" if prefix else key
        if isinstance(value, Mapping) and value:
            lines.append(f"{'  ' * depth}{key}:")
            _dump_into(lines, value, origins, dotted, depth + 1)
            continue
        text = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n").removesuffix("\n...")
        origin = origins.get(dotted)
        lines.append(f"{'  ' * depth}{key}: {text}" + (f"  # {origin}" if origin else ""))


def _read_yaml(path: Path) -> tuple[dict[str, Any], dict[str, int], Path]:
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
        content, lines = _parse(text, path.name)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"is not YAML: {_problem_of(error)}", where=where) from error
    if not isinstance(content, dict):
        raise ConfigError("is not a mapping of keys", where=str(path), fix="Start from a file in pipelines/configs/.")
    return content, lines, path


def _parse(text: str, name: str) -> tuple[Any, dict[str, int]]:
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


def _problem_of(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).splitlines()[0])


def _registered(name: Any, path: Path) -> tfm.ExperimentConfig:
    known = registered_experiments()
    if name in known:
        return exp_factory.get_exp_config(name)
    what = f"`experiment: {name}` is not a known experiment" if name else "has no key `experiment`"
    raise ConfigError(what, where=str(path), fix=f"Known: {', '.join(known)}.")


def registered_experiments() -> list[str]:
    """Return the names of the experiments that tagbox registers with TFM."""
    return sorted(pipelines.detection.experiments.NAMES)


def _lines_of(node: yaml.Node, prefix: str = "") -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            key = f"{prefix}.{key_node.value}" if prefix else str(key_node.value)
            yield key, key_node.start_mark.line + 1
            yield from _lines_of(value_node, key)


def leaves_of(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of every leaf of nested dicts; an empty dict is a leaf."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves_of(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value  # type: ignore[no-any-return]


def _check_value(config: Any, parts: list[str], value: Any, origin: str) -> None:
    """Walk to the key through the config objects; refuse what is not there or not of its type."""
    where, kind = config, Any
    for depth, part in enumerate(parts):
        if not isinstance(where, hyperparams.Config):
            raise ConfigError(f"`{'.'.join(parts[:depth])}` is a value, not a group of keys", where=origin)
        names = [field.name for field in dataclasses.fields(where) if not field.name.startswith("_")]
        if part not in names:
            _refuse_key(parts, depth, names, origin)
        kind = annotation_of(where, part)
        where = group_behind(where, part) if getattr(where, part) is None else getattr(where, part)
    if isinstance(value, dict):
        if not isinstance(where, hyperparams.Config):
            raise ConfigError(f"`{'.'.join(parts)}` is a value, not a group of keys", where=origin)
        for key, inner in value.items():
            _check_value(config, [*parts, str(key)], inner, origin)
    elif isinstance(where, hyperparams.Config) and not fits(value, kind):
        raise ConfigError(f"`{'.'.join(parts)}` is a group of keys, not a value", where=origin, fix="Set a key in it.")
    elif not fits(value, kind):
        raise ConfigError(f"`{'.'.join(parts)}` is {value!r}", where=origin, fix=f"It must be: {kind_in_words(kind)}.")


def _settle_number(config: Any, parts: list[str], value: Any) -> None:
    """Make a whole number that stands for a number one: TFM's schedules cannot compute with it."""
    *groups, name = parts
    for group in groups:
        config = getattr(config, group)
    if isinstance(value, int) and not isinstance(value, bool) and takes_any_number(annotation_of(config, name)):
        setattr(config, name, float(value))


def _refuse_key(parts: list[str], depth: int, names: list[str], origin: str) -> NoReturn:
    near = difflib.get_close_matches(parts[depth], names, n=1, cutoff=0.5)
    scope = ".".join(parts[:depth])
    known = f"Known{f' in `{scope}`' if scope else ''}: {', '.join(sorted(names))}." if names else ""
    nearest = ".".join([*parts[:depth], near[0]]) if near else ""
    raise ConfigError(
        f"there is no key `{'.'.join(parts[: depth + 1])}`",
        where=origin,
        fix=f"Did you mean `{nearest}`?" if near else known,
    )
