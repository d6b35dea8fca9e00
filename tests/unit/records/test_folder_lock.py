"""One build at a time in a folder, and nothing left behind."""

import pytest

from collectors.errors import InputError
from records.folder_lock import FolderBusyError, exclusive_folder, folder_in_use


def test_one_at_a_time_and_free_again_afterwards(tmp_path):
    folder = tmp_path / "records"
    with exclusive_folder(folder):
        with pytest.raises(FolderBusyError, match="another build"), exclusive_folder(folder):
            pass
        with exclusive_folder(tmp_path / "other"):
            pass
    with exclusive_folder(folder):
        pass
    assert list(folder.iterdir()) == []


def test_a_folder_removed_while_the_lock_was_taken_is_made_and_locked_anew(tmp_path, monkeypatch):
    from records import folder_lock

    real, removed = folder_lock._open, []

    def remove_once(folder):
        descriptor = real(folder)
        if not removed:
            folder.rmdir()
            removed.append(folder)
        return descriptor

    monkeypatch.setattr(folder_lock, "_open", remove_once)
    with exclusive_folder(tmp_path / "records"):
        assert (tmp_path / "records").is_dir()
        with pytest.raises(FolderBusyError), exclusive_folder(tmp_path / "records"):
            pass
    assert removed


def test_a_folder_that_stays_empty_goes_again(tmp_path):
    cleared = []
    with pytest.raises(ZeroDivisionError), folder_in_use(tmp_path / "new", cleared.append):
        raise ZeroDivisionError
    assert cleared == [tmp_path / "new"]
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    with folder_in_use(tmp_path / "old", cleared.append):
        pass
    assert (tmp_path / "old").is_dir()
    with folder_in_use(tmp_path / "used", lambda folder: (folder / "x").touch()):
        pass
    assert (tmp_path / "used" / "x").is_file()


def test_a_place_that_is_no_folder_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot use the folder"), exclusive_folder(tmp_path / "file"):
        pass
