"""Damage in a Parquet file's footer is refused, and does not end the process.

Covers: a size statistic whose histogram has a wrong length. pyarrow's `row_group(n).column(n)`
aborts the process on such a file, so the check runs in a child process whose exit status is
examined.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

REASON = "Definition level histogram size mismatch"
CHILD = """
import sys
from pathlib import Path
from finops_pipeline.errors import FileProblem
from finops_pipeline.lake.duck import DuckDBError, open_in_memory
from finops_pipeline.lake.parquet_integrity import check_parquet

path, reason = Path(sys.argv[1]), sys.argv[2]
intact = path.read_bytes()
footer = len(intact) - 8 - int.from_bytes(intact[-8:-4], "little")
damaged = path.with_name("damaged.parquet")
with open_in_memory({}) as connection:
    check_parquet(connection, path, "intact.parquet")
    for bit in range(footer * 8, (len(intact) - 8) * 8):
        content = bytearray(intact)
        content[bit // 8] ^= 1 << bit % 8
        damaged.write_bytes(content)
        try:
            check_parquet(connection, damaged, "damaged.parquet")
        except DuckDBError:
            continue  # landing turns these into a FileProblem
        except FileProblem as error:
            if reason in str(error):
                print(error)
                break
"""
"""Flip one bit of the footer after another until a file is refused for the reason."""


def test_a_histogram_of_the_wrong_length_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "intact.parquet"
    table = pa.table({"cost": pa.array(["1.5", None, "2"])})
    pq.write_table(table, path, write_page_checksum=True)
    command = [sys.executable, "-c", CHILD, str(path), REASON]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("damaged.parquet is damaged (column cost: "), done.stdout
    assert REASON in done.stdout
