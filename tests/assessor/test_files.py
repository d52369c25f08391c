from __future__ import annotations

import pytest

from assessor.files import replacing, write_text


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "page.html"
    with replacing(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
    assert path.read_text() == "half"
    assert [each.name for each in path.parent.iterdir()] == ["page.html"]


def test_a_fault_keeps_the_old_file_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


def test_text_is_utf_8_and_not_for_everyone_to_read(tmp_path):
    write_text(tmp_path / "page.html", "李\n")
    assert (tmp_path / "page.html").read_bytes() == "李\n".encode()
    assert (tmp_path / "page.html").stat().st_mode & 0o007 == 0
