"""The README and docs/ against the code: commands, options, links, pictures, keys, codes."""

import itertools
import re
from pathlib import Path

import click
import pytest
from PIL import Image

from scripts import exit_codes
from tests.support import docs_picture
from tests.support.docs_commands import NOT_RUN, parse_without_running, reason_not_to_run, tagbox_words
from tests.support.docs_pages import DocPage, doc_pages, page, table_rows
from tests.support.render_cli_reference import PAGE, command_tree, option_names, render

PAGES = doc_pages()
TREE = command_tree()
LARGEST_PICTURE_BYTES = 200_000
# Options in the pages that are not of `tagbox`: the OD API's, in the table for people who come from there, the local
# Tumblr's, and Beam's.
OTHER_PROGRAMS_OPTIONS = {"--config", "--train_dir", "--pipeline_config_path", "--port", "--posts"} | {
    "--model_dir", "--num_train_steps", "--logtostderr", "--checkpoint_dir", "--eval_dir", "--run_once",
    "--trained_checkpoint_prefix", "--output_directory", "--logdir",
    # Those of retrain.py, which are read but not shown.
    "--image_dir", "--output_graph", "--output_labels", "--eval_step_interval", "--how_many_training_steps",
    "--architecture", "--bottleneck_dir", "--flip_left_right", "--random_crop", "--random_scale", "--random_brightness",
    "--print_misclassified_test_images", "--summaries_dir", "--intermediate_output_graphs_dir", "--test_batch_size",
    # Apache Beam's, on the page about clusters.
    "--runner", "--project", "--region", "--temp_location", "--sdk_container_image", "--flink_master",
    "--environment_type", "--environment_config", "--job_endpoint",
}  # fmt: skip

every_page = pytest.mark.parametrize("doc", PAGES, ids=lambda doc: doc.name)


def test_command_line_page_is_what_the_commands_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "refresh: python -m tests.support.render_cli_reference"


@pytest.mark.parametrize("name", [name for name, command in TREE.items() if not isinstance(command, click.Group)])
def test_every_command_is_explained_on_a_page(name: str) -> None:
    written = "\n".join(doc.text for doc in PAGES if doc.path != PAGE and doc.name != "CHANGELOG.md")
    assert re.search(rf"{name}\b", written), f"no page but the generated one mentions `{name}`"


@every_page
def test_commands_parse(doc: DocPage) -> None:
    for line in doc.commands:
        words = tagbox_words(line)
        if words is not None:
            try:
                parse_without_running(words)
            except click.ClickException as error:
                pytest.fail(f"{doc.name}: `{line}`: {error.format_message()}")


@every_page
def test_commands_in_sentences_exist(doc: DocPage) -> None:
    """A code span such as `tagbox labels check data --strict` names a command, and options that it has."""
    for span in re.findall(r"`(tagbox [^`]+)`", doc.prose):
        words = span.split()
        name = "tagbox"
        for word in words[1:]:
            if f"{name} {word}" not in TREE:
                break
            name = f"{name} {word}"
        known = option_names(TREE[name])
        assert name != "tagbox" or known >= {word for word in words if word.startswith("--")}, (
            f"{doc.name}: there is no such command: `{span}`"
        )
        unknown = {word.partition("=")[0] for word in words if word.startswith("--")} - known
        assert not unknown, f"{doc.name}: `{name}` has no {sorted(unknown)}"


@every_page
def test_options_exist(doc: DocPage) -> None:
    known = set().union(*(option_names(command) for command in TREE.values())) | OTHER_PROGRAMS_OPTIONS
    assert not doc.options - known


@every_page
def test_commands_stand_in_sh_blocks(doc: DocPage) -> None:
    """What is not in an `sh` block is not run, so nothing to type may stand elsewhere."""
    if doc.path == PAGE:
        return
    for block in doc.blocks:
        # Python stands on the page of model files only: tests/integration/test_export.py runs each program.
        languages = {"sh", "text", "yaml", "json", "", *(["python"] if doc.name.endswith("export-a-model.md") else [])}
        assert block.language in languages, f"{doc.name}:{block.line}"
        if block.language != "sh":
            typed = re.search(r"^(tagbox|make|python|pip) .*", block.text, re.M)
            assert typed is None, f"{doc.name}:{block.line}: `{typed[0]}` belongs into an sh block" if typed else ""


@every_page
def test_links_lead_somewhere(doc: DocPage) -> None:
    for target in doc.links:
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        found = (doc.path.parent / path).resolve() if path else doc.path
        assert found.is_file(), f"{doc.name}: {target}"
        if anchor:
            assert anchor in DocPage(found).anchors, f"{doc.name}: {target}; there are {sorted(DocPage(found).anchors)}"


@every_page
def test_pictures_are_there_and_small(doc: DocPage) -> None:
    for target, alternative in doc.pictures:
        picture = doc.path.parent / target
        assert alternative, f"{doc.name}: {target} has no words for those who cannot see it"
        assert picture.stat().st_size < LARGEST_PICTURE_BYTES
        with Image.open(picture) as opened:
            opened.load()


@every_page
def test_no_path_of_one_machine(doc: DocPage) -> None:
    assert not re.findall(r"(?<![\w./-])/(?:work|root|tmp|home|Users)/\S*", doc.text)


def test_every_page_is_in_the_index() -> None:
    index = page("docs/README.md")
    listed = {(index.path.parent / target).resolve() for target in index.links}
    docs = {doc.path for doc in PAGES if doc.name.startswith("docs/")} - {index.path}
    assert docs == {path for path in listed if path.is_relative_to(index.path.parent)}


def test_readme_shows_the_two_commands_and_a_picture() -> None:
    readme = page("README.md")
    assert readme.commands[:2] == ["make demo", "make test"]
    assert [target for target, _ in readme.pictures] == ["docs/images/demo.jpg"]


def test_reasons_not_to_run_are_still_needed() -> None:
    lines = list(itertools.chain.from_iterable(doc.commands for doc in PAGES))
    assert [start for start in NOT_RUN if not any(line.startswith(start) for line in lines)] == []
    assert sum(reason_not_to_run(line) is None for line in lines) > 40


def test_exit_codes_page() -> None:
    rows = {int(cells[0]) for cells in table_rows(page("docs/reference/exit-codes.md").text)}
    assert rows == {code for name, code in vars(exit_codes).items() if name.isupper() and not name.startswith("_")}


def test_parser_of_pages(tmp_path: Path) -> None:
    text = (
        "# A `head`\n\n1. item\n\n   ```sh\n   one --two \\\n     three  # words\n"
        "   # nothing\n   four '#fff'\n   ```\n"
        "[x](y.md#a-head) ![z](z.jpg)\n\n| a | b |\n|---|---|\n| `c\\|d` | e |\n"
    )
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    doc = DocPage(tmp_path / "page.md")
    assert doc.commands == ["one --two three", "four '#fff'"]
    assert (doc.links, doc.pictures, doc.anchors) == (["y.md#a-head"], [("z.jpg", "z")], {"a-head"})
    assert doc.options == {"--two"}
    assert list(table_rows(doc.text)) == [["`c\\|d`", "e"]]


def test_parsing_refuses_what_the_command_would_refuse() -> None:
    assert parse_without_running(["labels", "check", "data", "--strict"]) is TREE["tagbox labels check"]
    for words in (["labels", "chek", "data"], ["labels", "check", "data", "--strickt"], ["predict"]):
        with pytest.raises(click.UsageError):
            parse_without_running(words)


def test_picture_of_the_readme(tmp_path: Path) -> None:
    samples = []
    for index in range(12):
        samples.append(tmp_path / f"sample_{index + 1:02d}.jpg")
        Image.effect_noise((646, 240), 12).convert("RGB").save(samples[-1])
    docs_picture.tile(samples, tmp_path / "demo.jpg")
    assert (tmp_path / "demo.jpg").stat().st_size < docs_picture.LIMIT_BYTES
    with pytest.raises(SystemExit, match="6 samples are needed, there are 5"):
        docs_picture.tile(samples[:5], tmp_path / "demo.jpg")
