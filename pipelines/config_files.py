"""The configs that come with tagbox; found without importing TensorFlow."""

from pathlib import Path

CONFIG_DIR = Path(__file__).parent / "configs"


def packaged_configs() -> list[Path]:
    """Return the packaged YAML files, sorted by name."""
    return sorted(CONFIG_DIR.glob("*.yaml"))


def purpose_of(path: Path) -> str:
    """Return the first line of a config's head note, without the comment sign; empty when it has none."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""
