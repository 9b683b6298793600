"""Workbooks (xlsx, xlsb, xls, ods): one sheet, written as CSV and then read like any other.

A workbook is read whole, so it is bounded: `FILE_BYTES` packed, `OPEN_BYTES` unpacked, `CELLS` cells. Formulas give the
value that they had when the workbook was saved. Whole numbers lose their ".0", so that ids typed as numbers stay ids.
"""

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import python_calamine as calamine

from hanse.core.faults import fault
from hanse.sdk.packing import ZIP, entries_of

FILE_BYTES = 64 << 20
OPEN_BYTES = 512 << 20
CELLS = 20_000_000
OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
"""How xls files begin, and other files of Microsoft's compound format."""
AS_CSV = "save the sheet as CSV (UTF-8) or Parquet"


def is_sheet(source: Path) -> bool:
    """Return whether a file is a workbook, or a damaged one."""
    with source.open("rb") as file:
        return file.read(4) in (ZIP, OLD_WORKBOOK)


def write_sheet(source: Path, target: Path, sheet: str) -> None:
    """Write a sheet of a workbook to `target`, as CSV in UTF-8: the one called `sheet`, or the only one.

    Raises `dataset.sheet`, `dataset.bomb` and `dataset.damaged`.
    """
    _check_size(source)
    try:
        with calamine.CalamineWorkbook.from_path(source) as workbook:
            chosen = workbook.get_sheet_by_name(_choose(workbook, source.name, sheet))
            cells = chosen.total_height * chosen.total_width
            if cells > CELLS:
                cause = f"sheet {chosen.name!r} of {source.name} spans {cells} cells, more than {CELLS}"
                raise fault("dataset.bomb", cause, AS_CSV)
            with target.open("w", encoding="utf-8", newline="") as file:
                _write_rows(chosen, csv.writer(file))
    except calamine.CalamineError as error:
        raise fault("dataset.damaged", f"{source.name} is no whole workbook", "save it again") from error


def _check_size(source: Path) -> None:
    size = source.stat().st_size
    with source.open("rb") as file:
        open_bytes = sum(e.file_size for e in entries_of(file, source.name)) if file.read(4) == ZIP else size
    if size > FILE_BYTES or open_bytes > OPEN_BYTES:
        cause = f"{source.name} has {size} bytes, {open_bytes} unpacked; a workbook has {OPEN_BYTES} at most"
        raise fault("dataset.bomb", cause, AS_CSV)


def _choose(workbook: calamine.CalamineWorkbook, name: str, sheet: str) -> str:
    names = workbook.sheet_names
    if sheet in names:
        return sheet
    if not sheet and len(names) == 1:
        return names[0]
    there = ", ".join(names[:20]) or "none"
    wanted = f"no sheet {sheet!r}" if sheet else f"{len(names)} sheets"
    raise fault("dataset.sheet", f"{name} has {wanted}", f"say which: {there}")


def _write_rows(sheet: calamine.CalamineSheet, writer: Any) -> None:
    """Write rows as texts. Empty rows at the end, which formatting leaves, are no rows."""
    empty = 0
    for row in sheet.iter_rows():
        texts = [_text(cell) for cell in row]
        if not any(texts):
            empty += 1
            continue
        writer.writerows([[""] * len(texts)] * empty)
        writer.writerow(texts)
        empty = 0


def _text(cell: object) -> str:
    match cell:
        case bool():
            return str(int(cell))
        case float() if cell.is_integer() and abs(cell) < 1 << 53:
            return str(int(cell))
        case dt.datetime() | dt.date() | dt.time():
            return cell.isoformat()
        case _:
            return str(cell)
