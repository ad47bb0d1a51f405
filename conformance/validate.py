"""The official FOCUS validator over Parquet files: which leaf rules of FOCUS 1.2 fail, as JSON.

    python conformance/validate.py [--mended] FILE.parquet [FILE.parquet …]

Runs in the validator's own environment (`make conformance` makes it). Put here: calling the
validator and reading its answers. Keep out: which failures are known (waivers.toml, judge.py), and
anything of finops_pipeline, which that environment does not have.

Its command line ends with 0 whatever it finds, and takes its rules from the network if let. So its
library is called: rules are loaded once, without network, for any number of files. Rules that
only gather others are left out: one failing leaf would be told four times. `--mended` asks the
rules whose published condition says something else than their words (mend.py), and only those.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import focus_validator
from focus_validator.data_loaders.data_loader import DataLoader
from focus_validator.validator import DEFAULT_VERSION_SETS_PATH, Validator
from mend import mended_model

VERSION = "1.2"
EXAMPLES = 2


def rules(folder: str = DEFAULT_VERSION_SETS_PATH) -> Any:
    """The rules of the model in a folder, every criterion applicable, loaded for many files.

    Criteria say what a provider offers (several currencies, commitments …); AWS offers all.
    """
    # It opens focus_validator/rules/currency_codes.csv relative to the working directory.
    os.chdir(Path(focus_validator.__file__).parents[1])
    loader = Validator(
        data_filename=None,
        output_type="console",
        output_destination=None,
        rule_set_path=folder,
        rules_version=VERSION,
        focus_dataset="CostAndUsage",
        rules_block_remote_download=True,
        applicability_criteria="ALL",
    )
    loader.spec_rules.load()
    return loader.spec_rules


def mended_rules() -> tuple[Any, set[str]]:
    """The mended model, loaded, and which of its rules are mended."""
    (published,) = Path(DEFAULT_VERSION_SETS_PATH).glob(f"model-{VERSION}*.json")
    with tempfile.TemporaryDirectory() as folder:
        names = set(mended_model(published, Path(folder)))
        return rules(folder), names


def judged(loaded: Any, file: Path, only: set[str] | None = None) -> dict[str, Any]:
    """What the validator says of one file.

    Args:
        only: the rules to tell of; otherwise all.

    Returns:
        file, rows, rules (that ran), skipped, failures: rule -> {says, rows, examples}. A file
        that the validator cannot read has the one key `error` instead of the last three.
    """
    told: dict[str, Any] = {"file": str(file), "rows": 0}
    try:
        data = DataLoader(str(file), column_types=loaded.get_column_types()).load()
        with duckdb.connect(":memory:") as connection:
            found = loaded.validate(
                data, connection=connection, show_violations=True, data_row_count=len(data)
            )
    except Exception as error:  # a damaged file may raise anything, and the others still count
        return told | {"error": f"{type(error).__name__}: {error}"}
    asked = {n: r for n, r in found.by_rule_id.items() if only is None or n in only}
    ran = {name: r for name, r in asked.items() if not r["details"].get("skipped")}
    failures = {
        name: _failure(found.rules[name], result["details"])
        for name, result in sorted(ran.items())
        if not result["ok"] and not found.rules[name].is_composite()
    }
    skipped = len(asked) - len(ran)
    return told | {"rows": len(data), "rules": len(ran), "skipped": skipped, "failures": failures}


def _failure(rule: Any, details: dict[str, Any]) -> dict[str, Any]:
    cases = details.get("failure_cases")
    examples = [] if cases is None else cases.head(EXAMPLES).astype(str).to_dict("records")
    return {
        "says": rule.validation_criteria.must_satisfy,
        "rows": int(details.get("violations") or 0),
        "examples": examples,
    }


def main() -> None:
    """Print one JSON list, an entry for each file in order."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--mended", action="store_true", help="ask only the mended rules")
    asked = parser.parse_args()
    files = [file.absolute() for file in asked.files]
    logging.disable(logging.CRITICAL)
    # What it prints about its progress must not get between the JSON.
    with contextlib.redirect_stdout(sys.stderr):
        loaded, only = mended_rules() if asked.mended else (rules(), None)
        found = [judged(loaded, file, only) for file in files]
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
