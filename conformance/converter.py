"""The same bill by focus_converter, an older open converter from CUR to FOCUS, as a peer.

Put here: running it as the outside tool that it is, and summing what it writes. Keep out: ours,
the comparison (compare.py).

It waits for ever after an error, and its writers are processes of their own: so it gets a time
limit and a process group that is killed whole.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SECONDS = 120
Key = tuple[str, str, str]
Sums = dict[Key, tuple[Decimal, Decimal]]
"""(account, product code, day) -> billed, effective."""


def convert(tool: Path, files: list[Path], scratch: Path) -> Path:
    """Convert the Parquet files of one bill, and return the folder of what came of it.

    Its plan `aws` reads Parquet under the legacy report's snake-case names.

    Raises:
        RuntimeError: it failed or took too long; with the end of what it said.
    """
    out = scratch / "converted"
    out.mkdir(parents=True)
    bill = scratch / "bill.parquet"
    tables = [pq.read_table(file) for file in files]
    pq.write_table(pa.concat_tables(tables, promote_options="default"), bill)
    command = [
        *(str(tool), "convert", "--provider", "aws", "--data-format", "parquet"),
        *("--parquet-data-format", "dataset", "--no-export-include-source-columns"),
        *("--data-path", str(bill), "--export-path", f"{out}/"),
    ]
    with (scratch / "said.txt").open("w+b") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
        try:
            code: int | None = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _kill_group(process.pid)
            process.wait()
        said.seek(0)
        words = said.read().decode(errors="replace")[-1500:]
    if code != 0 or not any(out.glob("*.parquet")):
        why = f"no end after {SECONDS} s" if code is None else f"exit code {code}"
        raise RuntimeError(f"focus_converter: {why}\n{words}")
    return out


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def sums(folder: Path) -> Sums:
    """What it wrote, added up exactly: a double is the shortest decimal that it stands for.

    It computes effective cost in doubles, so their last digits are noise; AWS's amounts have at
    most 10 to 12 decimals, to which they are rounded.
    """
    found: dict[Key, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    wanted = ["SubAccountId", "ServiceName", "ChargePeriodStart", "BilledCost", "EffectiveCost"]
    for row in pq.read_table(folder, columns=wanted).to_pylist():
        key = (row["SubAccountId"], row["ServiceName"], str(row["ChargePeriodStart"].date()))
        for place, name in enumerate(("BilledCost", "EffectiveCost")):
            value = row[name]
            found[key][place] += Decimal(0 if value is None else str(value))
    return {key: (billed, effective) for key, (billed, effective) in found.items()}
