"""`tagbox eval RUN FOLDER`: the figures of records without records, and mistakes that lead to their XML."""

import json
import shutil

import pytest

from labeling.label_map import read_label_map
from pipelines.run_directory import RunDirectory
from records.labelled_examples import read_labelled_examples
from tests.support.command import tagbox_here

pytestmark = pytest.mark.tf


def test_the_figures_are_those_of_records_built_from_the_folder(workshop):
    from pipelines.evaluate import evaluate_folder, evaluate_records

    run, data = RunDirectory(workshop.run), workshop.records.parent / "data"
    built = evaluate_records(
        run, [str(workshop.records / f"{name}_verification.record") for name in ("disc", "square")]
    )
    examples = read_labelled_examples(data, read_label_map(run.label_map_path), jobs=1)
    read = evaluate_folder(run, examples)
    assert built.results["num_images"] == 4
    assert read.results == built.results
    assert [one["score"] for one in read.record.detections] == [one["score"] for one in built.record.detections]
    assert [image["xml"] for image in read.record.images] == [str(data / image["xml"]) for image in built.record.images]


def test_what_is_wrong_in_a_folder_is_named_and_the_rest_judged(workshop, tmp_path):
    folder = tmp_path / "flat"
    folder.mkdir()
    for path in (workshop.records.parent / "data").rglob("verification/**/*.*"):
        shutil.copy(path, folder / path.name)
    (folder / "disc_verification_1.jpg").write_bytes(b"\xff\xd8\xff nothing")
    label = folder / "square_verification_1.xml"
    label.write_text(label.read_text().replace("<name>square<", "<name>star<"))
    (folder / "square_verification_0.xml").unlink()
    before = {path: path.stat().st_mtime_ns for path in workshop.run.rglob("*")}
    answer = tagbox_here("eval", workshop.run, folder, "--json", "--album", tmp_path / "album")
    assert answer.code == 5
    assert "disc_verification_1" in answer.err
    assert "1 boxes of 'star'" in answer.err
    assert "1 pictures have no XML" in answer.err
    results = json.loads(answer.out)
    assert (results["num_images"], results["unknown_classes"], results["num_without_xml"]) == (2, {"star": 1}, 1)
    assert len(results["refused"]) == 1
    shown = json.loads((tmp_path / "album" / "mistakes.json").read_text())
    assert (shown["mistakes"], shown["suspects"]) == (results["mistakes"], results["suspects"])
    for row in shown["mistakes"]:
        assert row["xml"] == str((folder / row["image"]).with_suffix(".xml"))
        assert (tmp_path / "album" / row["picture"]).is_file()
    assert {path: path.stat().st_mtime_ns for path in workshop.run.rglob("*")} == before


def test_a_folder_of_other_classes_and_options_that_do_not_fit_are_refused(workshop, tmp_path):
    folder = tmp_path / "flat"
    shutil.copytree(workshop.records.parent / "data" / "disc" / "verification", folder)
    for label in folder.glob("*.xml"):
        label.write_text(label.read_text().replace("<name>disc<", "<name>moon<"))
    answer = tagbox_here("eval", workshop.run, folder)
    assert answer.code == 2
    assert "it has moon; the run has disc, square" in answer.error_line
    for words in ((folder, "--records", "x"), ("--empty-without-xml",), (folder, "--follow"), ("--images", folder)):
        assert tagbox_here("eval", workshop.run, *words).code == 2


def test_an_evaluation_leaves_an_album_that_leads_to_the_labels(workshop, tmp_path):
    run = workshop.copy_run(tmp_path / "run")
    answer = tagbox_here("eval", run, "--json", "--min-ap50", 0.999)
    assert answer.code == 1
    index = json.loads((run / "mistakes" / "mistakes.json").read_text())
    assert json.loads(answer.out)["mistakes"] == index["mistakes"] != []
    truth = json.loads((run / "ground_truth.json").read_text())
    assert [image["place"] for image in truth["images"]] == [0, 1, 2, 3]
    assert truth["images"][0]["xml"] == "disc/verification/disc_verification_0.xml"
    for row in index["mistakes"]:
        assert (workshop.records.parent / "data" / row["xml"].rpartition("data/")[2]).is_file()
        assert (run / "mistakes" / row["picture"]).is_file()
    again = tagbox_here("eval", "--detections", run / "detections.json", "--truth", run / "ground_truth.json", "--json")
    errors = [json.loads(one)["errors"] for one in (answer.out, again.out)]
    assert errors[0] == errors[1]
