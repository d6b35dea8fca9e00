"""One build at a time in a folder, and nothing left behind."""

import pytest

from collectors.errors import InputError
from records.output_lock import OutputBusyError, folder_in_use, output_lock


def test_one_at_a_time_and_free_again_afterwards(tmp_path):
    folder = tmp_path / "records"
    with output_lock(folder):
        with pytest.raises(OutputBusyError, match="another build"), output_lock(folder):
            pass
        with output_lock(tmp_path / "other"):
            pass
    with output_lock(folder):
        pass
    assert not folder.exists()


def test_what_lies_there_is_cleared_also_after_a_failure(tmp_path):
    cleared = []
    with pytest.raises(ZeroDivisionError), folder_in_use(tmp_path / "new", cleared.append):
        raise ZeroDivisionError
    assert cleared == [tmp_path / "new"]
    assert not (tmp_path / "new").exists()
    with folder_in_use(tmp_path / "used", lambda folder: (folder / "x").touch()):
        pass
    assert (tmp_path / "used" / "x").is_file()


def test_a_place_that_is_no_folder_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"), output_lock(tmp_path / "file"):
        pass
