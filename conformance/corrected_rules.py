"""The official rules model with the conditions that its rules' text states.

Put here: each corrected condition, and writing such a model for the validator. Keep out: failures
that are known and cannot be corrected in the model (waivers.toml).

As published (1.2.0.1) "ChargeClass is not Correction" is false where the class is null, so the
rules with that condition never look at an ordinary charge, price x quantity = cost among them; and
a few conditions are inverted, malformed or too wide. Requirements are left as they are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Condition = dict[str, Any]


def _is(column: str, value: object) -> Condition:
    return {"CheckFunction": "CheckValue", "ColumnName": column, "Value": value}


def _is_not(column: str, value: object) -> Condition:
    return {"CheckFunction": "CheckNotValue", "ColumnName": column, "Value": value}


def _all(*items: Condition) -> Condition:
    return {"CheckFunction": "AND", "Items": list(items)}


NOT_CORRECTION = _is_not("ChargeClass", "Correction")
ORDINARY = _is("ChargeClass", None)
"""What "not Correction" means for a column that is null or Correction."""

CONDITIONS: dict[str, Condition] = {
    "CommitmentDiscountStatus-C-004-C": _all(
        _is_not("CommitmentDiscountId", None), _is("ChargeCategory", "Usage")
    ),
    "CapacityReservationStatus-C-003-C": _is("CapacityReservationId", None),
    "CapacityReservationStatus-C-004-C": _all(
        _is_not("CapacityReservationId", None), _is("ChargeCategory", "Usage")
    ),
    "ConsumedQuantity-C-006-C": ORDINARY,
    "EffectiveCost-C-005-C": _all(
        _is("ChargeCategory", "Purchase"), _is_not("CommitmentDiscountId", None), ORDINARY
    ),
}
"""Rule -> the condition that its text states."""


def write_corrected_model(published: Path, folder: Path) -> list[str]:
    """Write the corrected model where the validator looks for it; returns the corrected rules.

    Raises:
        KeyError: the published model lacks one of the rules, so it is another version.
    """
    model = json.loads(published.read_text(encoding="utf-8"))
    rules = model["ModelRules"]
    if unknown := sorted(CONDITIONS.keys() - rules.keys()):
        raise KeyError(f"{published.name} has no {', '.join(unknown)}: it is another version")
    corrected = []
    for name, rule in rules.items():
        criteria = rule["ValidationCriteria"]
        before = criteria["Condition"]
        criteria["Condition"] = CONDITIONS.get(name) or _ordinary(before)
        if criteria["Condition"] != before and rule["Type"] == "Static":
            corrected.append(name)
    (folder / published.name).write_text(json.dumps(model), encoding="utf-8")
    return sorted(corrected)


def _ordinary(condition: Any) -> Any:
    """The condition with "ChargeClass is null" in place of "ChargeClass is not Correction"."""
    if condition == NOT_CORRECTION:
        return ORDINARY
    if isinstance(condition, dict):
        return {key: _ordinary(value) for key, value in condition.items()}
    if isinstance(condition, list):
        return [_ordinary(item) for item in condition]
    return condition
