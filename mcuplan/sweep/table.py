# SPDX-License-Identifier: Apache-2.0
"""Rows as a table in a file: comma-separated, JSON lines, or Parquet; the suffix says which."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mcuplan.errors import ToolMissing, UsageError
from mcuplan.safe_text import plain
from mcuplan.sweep.rows import Cell, Row, column_types

__all__ = ["table_of"]

_Rows = Iterable[Row]
_GROUP = 1 << 16  # rows of a group of a Parquet file
_FORMULA = ("=", "+", "-", "@")


def table_of(path: Path) -> Callable[[_Rows], Iterator[bytes]]:
    """What writes rows as the file's name says, piece by piece.

    Raises:
        UsageError: no format has that suffix.
        ToolMissing: what writes it is not installed.
    """
    if path.suffix not in _FORMATS:
        hint = f"-o NAME{', NAME'.join(_FORMATS)}"
        raise UsageError("no table has that suffix", str(path), hint)
    if path.suffix == ".parquet":
        _arrow()
    return _FORMATS[path.suffix]


def _csv(rows: _Rows) -> Iterator[bytes]:
    """One line for each row; texts are one line, and no formula of a spreadsheet."""
    yield _csv_line(list(column_types()))
    for row in rows:
        yield _csv_line([_csv_cell(cell) for cell in row.cells()])


def _csv_line(cells: list[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8")


def _csv_cell(cell: Cell) -> Cell:
    if isinstance(cell, bool):
        return str(cell).lower()
    if not isinstance(cell, str):
        return cell
    text = plain(cell, unicode=True)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def _json_lines(rows: _Rows) -> Iterator[bytes]:
    names = list(column_types())
    for row in rows:
        record = dict(zip(names, row.cells(), strict=True))
        yield json.dumps(record, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"


def _parquet(rows: _Rows) -> Iterator[bytes]:
    arrow, parquet = _arrow()
    kinds = {str: arrow.string(), int: arrow.int64(), float: arrow.float64(), bool: arrow.bool_()}
    schema = arrow.schema([(name, kinds[kind]) for name, kind in column_types().items()])
    sink, rest = _Pieces(), iter(rows)
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        while group := list(itertools.islice(rest, _GROUP)):
            columns = zip(*(row.cells() for row in group), strict=True)
            arrays = [
                arrow.array(map(_storable, cells), field.type)
                for cells, field in zip(columns, schema, strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
            yield sink.taken()
    yield sink.taken()


class _Pieces(io.RawIOBase):
    """A file that is written, of which what was written is taken bit by bit."""

    def __init__(self) -> None:
        self._data, self._size = bytearray(), 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Take it all."""
        self._data += data
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        """Bytes so far."""
        return self._size

    def taken(self) -> bytes:
        """What is new."""
        data = bytes(self._data)
        self._data.clear()
        return data


def _storable(cell: Cell) -> Cell:
    """A text without halves of surrogate pairs, as names of files may have them."""
    return cell.encode("utf-8", "backslashreplace").decode() if isinstance(cell, str) else cell


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        hint = "pip install 'mcuplan[parquet]', or write .csv or .jsonl"
        raise ToolMissing("pyarrow is not installed: Parquet needs it", "", hint) from None
    return pyarrow, pyarrow.parquet


_FORMATS: Mapping[str, Callable[[_Rows], Iterator[bytes]]] = MappingProxyType(
    {".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}
)
