"""The pages about collecting name what there is."""

import re
from pathlib import Path

from scripts.commands.collect import collect


def test_every_refusal_in_the_source_is_in_the_how_to(repository: Path) -> None:
    page = (repository / "docs" / "how-to" / "collect-from-tumblr.md").read_text(encoding="utf-8")
    source = "".join(path.read_text(encoding="utf-8") for path in sorted((repository / "collectors").glob("*.py")))
    codes = set(re.findall(r'(?:Refusal|ImageRefusedError)\(\s*"([a-z_0-9]+)"', source)) - {"stopped", "range_refused"}
    assert len(codes) > 20
    assert not {code for code in codes if code not in page}


def test_every_command_and_option_of_the_pages_exists(repository: Path) -> None:
    page = (repository / "docs" / "how-to" / "collect-from-tumblr.md").read_text(encoding="utf-8")
    lines = re.findall(r"^tagbox collect (\w+)(.*)$", page, re.MULTILINE)
    assert {name for name, _ in lines} | {"quickdraw"} == set(collect.commands)  # quickdraw has a page of its own
    for name, rest in lines:
        known = {option for parameter in collect.commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known


def test_every_table_is_in_the_reference(repository: Path) -> None:
    page = (repository / "docs" / "reference" / "ledger.md").read_text(encoding="utf-8")
    schema = (repository / "collectors" / "ledger_schema.py").read_text(encoding="utf-8")
    tables = re.findall(r"CREATE TABLE (\w+)", schema)
    assert len(tables) == 12
    assert all(f"| `{table}` |" in page for table in tables)
