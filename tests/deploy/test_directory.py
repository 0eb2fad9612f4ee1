"""Who may use a data directory, and what is said to those who may not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from deploy.errors import DataDirectoryError, NoSpaceError
from deploy.local.directory import DataDirectory, current_stamp
from deploy.local.disk import require_free
from deploy.local.ports import choose_free


def test_a_new_directory_is_stamped_and_remembers_its_choices(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    directory.claim()
    first = directory.choices()
    directory.release()
    again = DataDirectory(tmp_path / "data")
    again.claim()
    assert again.choices() == first
    again.release()


def test_the_password_is_for_its_owner_only(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.claim()
    directory.choices()
    directory.release()
    assert (tmp_path / "choices.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "change", [{"layout": 0}, {"kafka": "3.9.0"}, {"postgres": "15"}, {"registry": "2.6.0"}]
)
def test_data_of_another_version_is_refused_and_left_alone(
    tmp_path: Path, change: dict[str, object]
) -> None:
    stale = msgspec.structs.replace(current_stamp(), **change)
    written = msgspec.json.encode(stale)
    (tmp_path / "stamp.json").write_bytes(written)
    with pytest.raises(
        DataDirectoryError, match=r"another data directory \(--data-dir or"
    ) as caught:
        DataDirectory(tmp_path).claim()
    assert "\n" not in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["stamp.json"]
    assert (tmp_path / "stamp.json").read_bytes() == written


def test_a_directory_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("chapter 1")
    with pytest.raises(DataDirectoryError, match="is not empty and no data directory of HCP"):
        DataDirectory(tmp_path).claim()
    assert (tmp_path / "thesis.tex").read_text() == "chapter 1"


def test_data_of_hcp_without_its_stamp_is_not_called_foreign(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.claim()
    directory.choices()
    directory.release()
    (tmp_path / "stamp.json").unlink()
    with pytest.raises(DataDirectoryError, match=r"stamp\.json is missing.*HCP_DATA_DIR"):
        DataDirectory(tmp_path).claim()


def test_an_unreadable_stamp_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stamp.json").write_text("{")
    with pytest.raises(DataDirectoryError, match="what wrote this data is unknown"):
        DataDirectory(tmp_path).claim()


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    first = DataDirectory(tmp_path)
    first.claim()
    with pytest.raises(DataDirectoryError, match="HCP is already running"):
        DataDirectory(tmp_path).claim()
    first.release()


def test_too_little_room_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(NoSpaceError, match=r"Only \d+ MB are free .* 10\d+ MB are needed for data"):
        require_free(tmp_path / "not" / "yet", 10**12, "for data")
    assert not list(tmp_path.iterdir())


def test_a_port_that_the_user_gave_away_is_not_kept(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.claim()
    first = directory.choices().ports
    wanted = first["postgres"]
    second = directory.choices(frozenset({wanted})).ports
    directory.release()
    assert wanted not in second.values()
    assert {**second, "postgres": wanted} == first


def test_chosen_ports_differ() -> None:
    chosen = choose_free(12)
    assert len(set(chosen)) == 12
