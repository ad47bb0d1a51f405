"""The same bill by focus_converter, an older open converter from CUR to FOCUS, as a peer.

Put here: running it as an outside tool, and adding up its output. Keep out: our own conversion,
the comparison (compare.py).

It waits forever after an error, and its writers are separate processes: so it gets a time limit and
a process group that is killed as a whole.
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

TIMEOUT_SECONDS = 120
Key = tuple[str, str, str]
Sums = dict[Key, tuple[Decimal, Decimal]]
"""(account, product code, day) -> billed, effective."""


def convert(tool: Path, files: list[Path], scratch: Path) -> Path:
    """Convert the Parquet files of one bill, and return the folder of the result.

    Its plan `aws` reads Parquet under the legacy report's snake-case names.

    Raises:
        RuntimeError: it failed or took too long; the message has the end of its output.
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
    with (scratch / "output.txt").open("w+b") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        try:
            code: int | None = process.wait(TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _kill_group(process.pid)
            process.wait()
        output.seek(0)
        text = output.read().decode(errors="replace")[-1500:]
    if code != 0 or not any(out.glob("*.parquet")):
        why = f"still running after {TIMEOUT_SECONDS} s" if code is None else f"exit code {code}"
        raise RuntimeError(f"focus_converter: {why}\n{text}")
    return out


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def sum_charges(folder: Path) -> Sums:
    """Add up its output exactly; a double counts as the shortest decimal that it stands for.

    It computes effective cost in doubles, so their last digits are noise; AWS's amounts have at
    most 10 to 12 decimals, to which they are rounded.
    """
    totals: dict[Key, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    columns = ["SubAccountId", "ServiceName", "ChargePeriodStart", "BilledCost", "EffectiveCost"]
    for row in pq.read_table(folder, columns=columns).to_pylist():
        key = (row["SubAccountId"], row["ServiceName"], str(row["ChargePeriodStart"].date()))
        for place, name in enumerate(("BilledCost", "EffectiveCost")):
            value = row[name]
            totals[key][place] += Decimal(0 if value is None else str(value))
    return {key: (billed, effective) for key, (billed, effective) in totals.items()}
