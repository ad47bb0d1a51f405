"""The same bill by other tools: focus_converter, and a conversion written with pandas.

Put here: running peers, each in an environment of its own, which `make bench` creates. Keep out:
what pandas does (pandas_conversion.py), our own commands (ingest.py).

Both compute in doubles and check nothing: no value is validated, no sum compared, no row counted,
no FOCUS rule applied, no account separated from another.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from measure import Cost, middle, run, say

BUILD = Path(__file__).parent.parent / "build"
CONVERTER = BUILD / "conformance" / "converter" / "bin" / "focus-converter"
PANDAS = BUILD / "peers" / "pandas" / "bin" / "python"
PANDAS_CONVERSION = Path(__file__).parent / "pandas_conversion.py"


def measure_converter(files: Sequence[Path], out: Path, times: int) -> Cost | None:
    """Measure focus_converter on the Parquet files of a bill; None where it is not available."""
    data = files[0] if len(files) == 1 else files[0].parent
    command = [
        *(str(CONVERTER), "convert", "--provider", "aws", "--data-format", "parquet"),
        *("--parquet-data-format", "dataset", "--no-export-include-source-columns"),
        *("--data-path", str(data), "--export-path", f"{out}/"),
    ]
    return _measure(command, out, times)


def measure_pandas(files: Sequence[Path], out: Path, times: int) -> Cost | None:
    """Measure a conversion by pandas; None where it is not available."""
    command = [str(PANDAS), str(PANDAS_CONVERSION), str(out), *map(str, files)]
    return _measure(command, out, times)


def _measure(command: list[str], out: Path, times: int) -> Cost | None:
    """Measure a peer that writes into the folder `out`, which is empty at the start of each run."""
    if not Path(command[0]).exists():
        say(f"(not measured: {command[0]} is missing; `make bench` installs it)")
        return None
    try:
        cost = middle(_into_empty(command, out), times)
    except RuntimeError as error:
        say(f"(not measured: {error})")
        return None
    if not any(out.glob("*.parquet")):
        say(f"(not measured: {command[0]} wrote nothing)")
        return None
    return cost


def _into_empty(command: list[str], out: Path) -> Callable[[], Cost]:
    def once() -> Cost:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        return run(command)

    return once
