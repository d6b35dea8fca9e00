"""How a run was made, and the commands that make and use it again."""

import shlex
from pathlib import Path

from pipelines.report.blocks import Block, Column, Commands, Facts, Folded, Section, Table
from pipelines.report.run_files import RunFiles
from pipelines.run_list import chosen_values


def train_command(files: RunFiles) -> str:
    """Return the command of the run's last session as it would be typed; empty where it is not known."""
    words = [str(word) for word in files.environment.get("command", ())]
    return shlex.join([Path(words[0]).name, *words[1:]]) if words else ""


def provenance_section(files: RunFiles) -> Section:
    """Return commands, what the run was made of, the chosen values of its config, and the environment."""
    folder = shlex.quote(str(files.run.path))
    rows = [("Train it (again, or go on where it stands)", train_command(files))] if train_command(files) else []
    rows += [
        ("Evaluate it", f"tagbox eval {folder}"),
        ("Ask it about pictures", f"tagbox predict {folder} PICTURES --output predictions"),
        ("Make a model file of it", f"tagbox export {folder} --format tflite"),
        ("Draw this page again", f"tagbox runs report {folder}"),
    ]
    blocks: list[Block] = [Commands(rows), Facts(_facts(files))]
    if chosen := chosen_values(files.run.config_path):
        columns = [Column("key", numeric=False), Column("value", numeric=False), Column("from", numeric=False)]
        table = Table(columns, [[row["key"], row["value"], row["origin"]] for row in chosen])
        blocks.append(Folded(f"{len(chosen)} values of the config that were chosen; the others are defaults", [table]))
    return Section("How this was made", blocks)


def _facts(files: RunFiles) -> list[tuple[str, str]]:
    environment, status = files.environment, files.status
    packages = ", ".join(f"{name} {version}" for name, version in environment.get("packages", {}).items())
    weights = files.value("task.init_checkpoint")
    step, total = status.get("step"), status.get("total_steps")
    facts = [
        ("experiment", str(files.value("experiment", ""))),
        ("state", f"{status.get('state', '')}" + (f" at step {step} of {total}" if step is not None else "")),
        ("last heard of", str(status.get("updated", ""))),
        ("weights to start from", f"{weights}{_accounting(files)}" if weights else "none: random ones"),
        ("run folder", str(files.run.path)),
        ("started in", str(environment.get("folder", ""))),
        ("Python", str(environment.get("python", ""))),
        ("packages", packages),
        ("machine", _machine(files)),
    ]
    return [(name, value) for name, value in facts if value]


def _accounting(files: RunFiles) -> str:
    """Say how many variables came from the weights, as ``weights.json`` has it."""
    account = files.json("weights.json")
    if not isinstance(account, dict) or "loaded" not in account:
        return ""
    kept = len(account.get("missing") or ()) + len(account.get("mismatched") or ())
    return f" ({len(account['loaded'])} variables loaded, {kept} begun anew; named in weights.json)"


def _machine(files: RunFiles) -> str:
    words = [str(files.environment.get("platform", ""))]
    if processors := files.environment.get("cpu_count"):
        words.append(f"{processors} processors")
    return ", ".join(word for word in words if word)
