"""The official FOCUS validator over Parquet files: which leaf rules of FOCUS 1.2 fail, as JSON.

    python conformance/validate.py [--corrected] FILE.parquet [FILE.parquet …]

Runs in the validator's own environment (`make conformance` makes it). Put here: calling the
validator and reading its answers. Keep out: which failures are accepted (waivers.py), and
anything of finops_pipeline, which that environment does not have.

Its command exits with 0 whatever it finds, and takes its rules from the network if allowed. So its
library is called: rules are loaded once, without network, for any number of files. Rules that only
combine others are left out: one failing leaf would be reported four times. `--corrected` runs only
the rules whose published condition contradicts their text, with that condition corrected
(corrected_rules.py).
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
from corrected_rules import write_corrected_model
from focus_validator.data_loaders.data_loader import DataLoader
from focus_validator.validator import DEFAULT_VERSION_SETS_PATH, Validator

VERSION = "1.2"
EXAMPLES = 2


def load_rules(folder: str = DEFAULT_VERSION_SETS_PATH) -> Any:
    """Load the rules of the model in a folder, every criterion applicable, for many files.

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


def load_corrected_rules() -> tuple[Any, set[str]]:
    """Load the corrected model; returns it and the names of its corrected rules."""
    (published,) = Path(DEFAULT_VERSION_SETS_PATH).glob(f"model-{VERSION}*.json")
    with tempfile.TemporaryDirectory() as folder:
        names = set(write_corrected_model(published, Path(folder)))
        return load_rules(folder), names


def validate_file(loaded: Any, file: Path, only: set[str] | None = None) -> dict[str, Any]:
    """Validate one file.

    Args:
        only: the rules to report; None: all.

    Returns:
        file, rows, rules (that ran), skipped, failures: rule -> {requirement, rows,
        examples}. A file
        that the validator cannot read has the one key `error` instead of the last three.
    """
    report: dict[str, Any] = {"file": str(file), "rows": 0}
    try:
        data = DataLoader(str(file), column_types=loaded.get_column_types()).load()
        with duckdb.connect(":memory:") as connection:
            results = loaded.validate(
                data, connection=connection, show_violations=True, data_row_count=len(data)
            )
    except Exception as error:  # a damaged file may raise anything, and the others still count
        return report | {"error": f"{type(error).__name__}: {error}"}
    selected = {n: r for n, r in results.by_rule_id.items() if only is None or n in only}
    ran = {name: r for name, r in selected.items() if not r["details"].get("skipped")}
    failures = {
        name: _failure(results.rules[name], result["details"])
        for name, result in sorted(ran.items())
        if not result["ok"] and not results.rules[name].is_composite()
    }
    skipped = len(selected) - len(ran)
    return report | {"rows": len(data), "rules": len(ran), "skipped": skipped, "failures": failures}


def _failure(rule: Any, details: dict[str, Any]) -> dict[str, Any]:
    cases = details.get("failure_cases")
    examples = [] if cases is None else cases.head(EXAMPLES).astype(str).to_dict("records")
    return {
        "requirement": rule.validation_criteria.must_satisfy,
        "rows": int(details.get("violations") or 0),
        "examples": examples,
    }


def main() -> None:
    """Print one JSON list, an entry for each file in order."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--corrected", action="store_true", help="run only the corrected rules")
    options = parser.parse_args()
    files = [file.absolute() for file in options.files]
    logging.disable(logging.CRITICAL)
    # Its progress messages must not mix with the JSON.
    with contextlib.redirect_stdout(sys.stderr):
        loaded, only = load_corrected_rules() if options.corrected else (load_rules(), None)
        reports = [validate_file(loaded, file, only) for file in files]
    sys.stdout.write(json.dumps(reports, indent=1) + "\n")


if __name__ == "__main__":
    main()
