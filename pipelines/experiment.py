"""A config file becomes a TFM experiment: loaded strictly, overridden, every value with its origin."""

import dataclasses
import difflib
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from official.core import config_definitions as tfm
from official.core import exp_factory
from official.modeling import hyperparams

import pipelines.classification.experiments
import pipelines.detection.experiments
from collectors.errors import ConfigError, InputError
from pipelines.classification.model_config import ClassifierModel
from pipelines.config_files import CONFIG_DIR
from pipelines.config_values import annotation_of, fits, group_behind, impossible_value, kind_in_words, takes_any_number
from pipelines.config_yaml import parse_yaml, problem_of, read_yaml
from pipelines.odapi.pipeline_config import is_pipeline_config, read_pipeline_config

_EXPERIMENT_KEY, _BASE_KEY = "experiment", "extends"


@dataclasses.dataclass(slots=True)
class Experiment:
    """A loaded experiment.

    Attributes:
        name: The registered experiment it starts from.
        params: The merged TFM config.
        origins: Dotted key -> where its value comes from (``file:line``, ``--set``...); a key that is absent has the
            default of the registered experiment.
        unconfigured: Dotted key -> ``file:line`` that still says ``PATH_TO_BE_CONFIGURED`` for it.
        bases: The files that its file extends, one extending the next.
    """

    name: str
    params: tfm.ExperimentConfig
    origins: dict[str, str]
    unconfigured: dict[str, str] = dataclasses.field(default_factory=dict)
    bases: list[Path] = dataclasses.field(default_factory=list)

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
    for override in overrides:
        _refuse_unchosen(experiment, override)
    _refuse_impossible(experiment)
    _settle_input_size(experiment)
    return experiment


def _refuse_unchosen(experiment: Experiment, override: str) -> None:
    """Refuse a word of --set about one of several kinds, of which another one is chosen: it would decide nothing."""
    parts, node = override.partition("=")[0].strip().split("."), experiment.params
    for depth, part in enumerate(parts):
        if isinstance(node, hyperparams.OneOfConfig) and node.type and part not in ("type", node.type):
            kind = f"{'.'.join(parts[:depth])}.type"
            raise ConfigError(
                f"`{kind}` is {node.type}, so `{'.'.join(parts)}` decides nothing",
                where="--set",
                fix=f"Add --set {kind}={part}, or leave this out.",
            )
        node = getattr(node, part, None)


def _load_yaml(path: Path, above: Sequence[Path] = ()) -> Experiment:
    """Load a YAML config; ``above`` are the files that extend it, the outermost first."""
    content, lines, path = read_yaml(path)
    name, base = content.pop(_EXPERIMENT_KEY, None), content.pop(_BASE_KEY, None)
    if base is None:
        experiment = Experiment(str(name), _registered(name, path), {})
    else:
        experiment = _load_base(base, f"{path}:{lines[_BASE_KEY]}", [*above, path])
        if name not in (None, experiment.name):
            raise ConfigError(
                f"`experiment: {name}` is not that of its base, {experiment.name}",
                where=f"{path}:{lines[_EXPERIMENT_KEY]}",
                fix=f"Leave it out, or extend a config of {name}.",
            )
    for key, value in leaves_of(content) if content else ():
        line = lines.get(key)
        experiment.set(key, value, f"{path.name}:{line}" if line else path.name)
    return experiment


def _load_base(base: Any, where: str, above: Sequence[Path]) -> Experiment:
    """Load what a config extends: a file beside it, or below, or a packaged config by its name."""
    if not isinstance(base, str) or not base:
        raise ConfigError(f"`extends` is {base!r}", where=where, fix="Name a config, such as ssd_mobilenet_v1.")
    beside = above[-1].parent / base
    candidates = (beside, beside.with_name(f"{beside.name}.yaml"), CONFIG_DIR / f"{base.removesuffix('.yaml')}.yaml")
    itself = above[-1].resolve()
    path = next((one for one in candidates if one.is_file() and one.resolve() != itself), Path(base))
    if path.resolve() in [one.resolve() for one in above]:
        chain = " -> ".join([*(one.name for one in above), path.name])
        raise ConfigError(f"the config extends itself: {chain}", where=where, fix="Leave one `extends` out.")
    try:
        experiment = _load_pipeline_config(path) if is_pipeline_config(path) else _load_yaml(path, above)
    except InputError as error:
        raise InputError(f"cannot extend {base}: {error.what}", where=where, fix=error.fix) from error
    experiment.bases.insert(0, path)
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
    for prefix, config in _groups_of(experiment.params.task):
        # Groups that know their own limits say so: those of the classifiers' networks.
        if (judge := getattr(config, "impossible", None)) and (found := judge()):
            key = f"task.{prefix}{found[0]}"
            value: Any = functools.reduce(getattr, found[0].split("."), config)
            _refuse_value(experiment, key, value, found[1])
    values = dict(leaves_of(experiment.params.as_dict()))
    if found := impossible_value(values):
        key, must_be = found
        _refuse_value(experiment, key, values[key], must_be)


def _settle_input_size(experiment: Experiment) -> None:
    """Let a network that has an input of its own set the size, where nobody else does."""
    key, model = "task.model.input_size", experiment.params.task.model
    network = model.network.chosen() if isinstance(model, ClassifierModel) else None
    if network and network.own_input_size and key not in experiment.origins:
        experiment.set(key, network.own_input_size, f"task.model.network.{model.network.type}")


def _groups_of(config: hyperparams.Config, prefix: str = "") -> Iterator[tuple[str, hyperparams.Config]]:
    """Yield the groups of keys below a group, outer ones first, each with the dotted key it stands under."""
    yield prefix, config
    for one in dataclasses.fields(config):
        if isinstance(inner := getattr(config, one.name, None), hyperparams.Config):
            yield from _groups_of(inner, f"{prefix}{one.name}.")


def _refuse_value(experiment: Experiment, key: str, value: Any, must_be: str) -> NoReturn:
    raise ConfigError(f"`{key}` is {value!r}", where=experiment.origins.get(key, ""), fix=f"It {must_be}.")


def apply_override(experiment: Experiment, override: str) -> None:
    """Apply one ``key=value``; see `load_experiment` for the errors."""
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"cannot read `{override}`", where="--set", fix="Write it as --set trainer.train_steps=500.")
    try:
        value, _ = parse_yaml(text, "--set")
    except yaml.YAMLError as error:
        raise ConfigError(f"the value of `{key}` is not YAML: {problem_of(error)}", where="--set") from error
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


def _registered(name: Any, path: Path) -> tfm.ExperimentConfig:
    known = registered_experiments()
    if name in known:
        return exp_factory.get_exp_config(name)
    what = f"`experiment: {name}` is not a known experiment" if name else "has no key `experiment`"
    raise ConfigError(what, where=str(path), fix=f"Known: {', '.join(known)}.")


def registered_experiments() -> list[str]:
    """Return the names of the experiments that tagbox registers with TFM."""
    return sorted((*pipelines.detection.experiments.NAMES, *pipelines.classification.experiments.NAMES))


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
