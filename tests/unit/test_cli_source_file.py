"""Files of records are read as they come out of other systems, and no line of them is lost in silence."""

import gzip
from pathlib import Path

import pytest

from tongtu.errors import CommandError
from tongtu.importing.source_file import LINE_LIMIT, Line, SourceFile


def read(path: Path, content: bytes) -> list[Line]:
    path.write_bytes(content)
    source = SourceFile(path)
    try:
        return list(source.lines())
    finally:
        source.close()


def test_json_lines_keep_their_numbers(tmp_path: Path) -> None:
    lines = read(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"id": "a"}\n\n  \n{"id": "\xe4\xb8\xad"}\r\n{"id": "last"}')
    assert lines == [Line(1, {"id": "a"}), Line(4, {"id": "中"}), Line(5, {"id": "last"})]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no json", "is not JSON"),
        (b'{"a": NaN}', "is not JSON"),
        (b'{"a": "\xb3\xa4"}', "is not JSON"),
        (b'[{"id": "a"}]', "is a list"),
        (b"7", "is a single value"),
        (b'{"a": "' + b"x" * LINE_LIMIT + b'"}', "longer than 1 MiB"),
    ],
)
def test_a_bad_line_does_not_stop_the_rest(tmp_path: Path, content: bytes, told: str) -> None:
    before, bad, after = read(tmp_path / "a.jsonl", b'{"id": "a"}\n' + content + b'\n{"id": "b"}\n')
    assert before == Line(1, {"id": "a"})
    assert bad.number == 2
    assert bad.fields is None
    assert told in (bad.problem or "")
    assert after == Line(3, {"id": "b"})


def test_csv_with_a_byte_order_mark_quotes_and_line_breaks(tmp_path: Path) -> None:
    content = '\ufeffid, 标题 ,text\r\na,"锂, 固态","two\r\nlines"\r\n,,\r\nb,,only text\r\n'.encode()
    assert read(tmp_path / "a.csv", content) == [
        Line(2, {"id": "a", "标题": "锂, 固态", "text": "two\r\nlines"}),
        Line(5, {"id": "b", "text": "only text"}),
    ]


def test_csv_faults_are_told_by_line(tmp_path: Path) -> None:
    lines = read(tmp_path / "a.csv", b"id,title\na,b,c\nx," + "中文".encode("gb18030") + b"\nb,ok\n")
    assert [line.number for line in lines] == [2, 3, 4]
    assert lines[0].problem == "has 3 columns, the header has 2"
    assert "is not UTF-8" in (lines[1].problem or "")
    assert lines[2].fields == {"id": "b", "title": "ok"}


def test_tabs_separate_in_tsv(tmp_path: Path) -> None:
    assert read(tmp_path / "a.tsv", b"id\ttitle\na\tb, c\n") == [Line(2, {"id": "a", "title": "b, c"})]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl"])
def test_gzip_is_told_by_content(tmp_path: Path, name: str) -> None:
    assert read(tmp_path / name, gzip.compress(b'{"id": "a"}\n')) == [Line(1, {"id": "a"})]


def test_a_damaged_gzip_says_where_it_ends(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b'{"id": "%d"}\n' % number for number in range(20_000)))
    lines = read(tmp_path / "a.jsonl.gz", whole[: len(whole) // 2])
    assert len(lines) > 1
    assert lines[-1].problem == "the compressed file is damaged from here on"
    assert all(line.fields is not None for line in lines[:-1])


def test_progress_is_counted_in_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": "a"}\n' * 1000))
    source = SourceFile(path)
    assert source.read == 0
    assert len(list(source.lines())) == 1000
    assert source.read == source.size == path.stat().st_size
    source.close()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        SourceFile(tmp_path / "none")
