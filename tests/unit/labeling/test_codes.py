import re
from pathlib import Path

from labeling.codes import CODES


def test_reference_page_lists_every_code(repository: Path) -> None:
    page = (repository / "docs" / "reference" / "label-codes.md").read_text(encoding="utf-8")
    rows = {
        code: rest
        for code, *rest in re.findall(
            r"^\| `([A-Z]\d\d)` \| (\w+) \| (.+?) \| (.+?) \| (\w*) ?\|$", page, flags=re.MULTILINE
        )
    }
    assert rows == {
        code.name: [code.severity.value, code.title, code.action, "yes" if code.has_repair else ""]
        for code in CODES.values()
    }


def test_codes_are_well_formed() -> None:
    for name, code in CODES.items():
        assert re.fullmatch(r"[XLISBCD]\d\d", name)
        assert code.name == name
        assert code.action.endswith(".")
        assert not code.title.endswith(".")
    assert len({code.title for code in CODES.values()}) == len(CODES)
