"""Terms of statements: read, merged, stored, exported; bad ones are refused by their place.

Put here: the declaration alone, and rounding. Keep out: statements themselves (test_statements.py).
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_pipeline.errors import RegistryError
from finops_pipeline.money import exact_sum, round_to_total
from finops_pipeline.tenants.declare import apply, read_declaration
from finops_pipeline.tenants.exported import export_tenant, parse_export
from finops_pipeline.tenants.registry import Registry
from finops_pipeline.tenants.statement_terms import CostBasis, FixedFee
from tests.conftest import TemporaryInstallation

FEE = {"amount": 5, "currency": "USD"}
BAD: dict[str, tuple[Any, str]] = {
    "negative": ({"markup_percent": -1}, "statements.markup_percent is -1"),
    "a percent sign": ({"markup_percent": "5 %"}, "statements.markup_percent is '5 %'"),
    "a comma": ({"markup_percent": "5,5"}, "statements.markup_percent is '5,5'"),
    "a flag": ({"markup_percent": True}, "statements.markup_percent is True"),
    "not a number": ({"markup_percent": float("nan")}, "statements.markup_percent is nan"),
    "too large": ({"markup_percent": 1001}, "a number from 0 to 1000"),
    "too many places": ({"markup_percent": 1.23456}, "up to 4 decimal places"),
    "no such basis": ({"basis": "cash"}, "one of: billed, effective, net_billed, net_effective"),
    "a typo": ({"markup": 5}, "statements.markup: there is no such field"),
    "a list": ([5], "statements is [5]"),
    "no currency": ({"fixed_fee": {"amount": 5}}, "statements.fixed_fee.currency is missing"),
    "a symbol": ({"fixed_fee": FEE | {"currency": "$"}}, "statements.fixed_fee.currency is '$'"),
    "a negative fee": ({"fixed_fee": FEE | {"amount": -5}}, "statements.fixed_fee.amount is -5"),
    "only a number": ({"fixed_fee": 5}, "statements.fixed_fee is 5"),
}


def declaration(folder: Path, tenant: Any, project: Any = None) -> Path:
    path = folder / "tenants.yaml"
    entry = {"name": "acme", "projects": [{"name": "prod"}]}
    if tenant is not None:
        entry["statements"] = tenant
    if project is not None:
        entry["projects"] = [{"name": "prod", "statements": project}]
    path.write_text(yaml.safe_dump({"tenants": [entry, {"name": "globex"}]}))
    return path


@pytest.mark.parametrize("name", BAD)
def test_bad_terms_are_refused_by_their_place(tmp_path: Path, name: str) -> None:
    terms, message = BAD[name]
    path = declaration(tmp_path, terms)
    with pytest.raises(RegistryError) as refused:
        read_declaration(path)
    assert f"{path}, tenant acme: statements" in str(refused.value)
    assert message in str(refused.value)
    if name != "no such basis":
        with pytest.raises(RegistryError) as refused:
            read_declaration(declaration(tmp_path, None, terms))
        assert f"{path}, tenant acme: project 'prod': statements" in str(refused.value)


def test_a_number_of_more_digits_than_a_float_has_needs_quotes(tmp_path: Path) -> None:
    path = tmp_path / "tenants.yaml"
    text = "tenants:\n- name: acme\n  statements: {fixed_fee: {currency: USD, amount: NUMBER}}\n"
    number = "1234567890.123456789"
    path.write_text(text.replace("NUMBER", number))
    with pytest.raises(RegistryError) as refused:
        read_declaration(path)
    assert "too many digits, line 3" in str(refused.value)
    assert "Write it in quotes" in str(refused.value)
    shares = f"shared_costs: [{{name: tax, kinds: tax, method: fixed, shares: {{a: {number}}}}}]"
    path.write_text(f"tenants:\n- name: acme\n  {shares}\n")
    with pytest.raises(RegistryError, match="too many digits"):
        read_declaration(path)
    for written in (f'"{number}"', "1234567890.12345", "1_000.50", "1.0e-7"):
        path.write_text(text.replace("NUMBER", written))
        (tenant,) = read_declaration(path)
        assert tenant.statements.fixed_fee is not None
        assert tenant.statements.fixed_fee.amount == Decimal(written.strip('"').replace("_", ""))


def test_a_project_has_no_basis_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"statements\.basis: there is no such field"):
        read_declaration(declaration(tmp_path, None, {"basis": "billed"}))


def test_terms_are_stored_merged_and_exported(empty: TemporaryInstallation, tmp_path: Path) -> None:
    registry: Registry = empty.installation.registry
    terms = {"basis": "effective", "markup_percent": 5.5, "fixed_fee": FEE}
    lines = apply(registry, read_declaration(declaration(tmp_path, terms, {"markup_percent": 0})))
    assert (
        "~ tenant acme: statements basis billed -> basis effective, mark-up 5.5 %, fixed fee 5 USD"
        in lines
    )
    # a file without the section changes nothing
    assert apply(registry, read_declaration(declaration(tmp_path, None))) == []
    tenant = registry.tenant("acme")
    assert tenant.statements.basis is CostBasis.EFFECTIVE
    assert tenant.statements.fixed_fee == FixedFee(amount=Decimal(5), currency="USD")
    assert tenant.project("prod").statements.markup_percent == 0
    assert parse_export(export_tenant(tenant), tmp_path / "backup") == tenant
    assert "statements" not in export_tenant(registry.tenant("globex"))
    lines = apply(registry, read_declaration(declaration(tmp_path, {}, {"markup_percent": 3})))
    assert "~ project acme/prod: statements mark-up 0 % -> mark-up 3 %" in lines
    assert not registry.tenant("acme").statements


@pytest.mark.parametrize("digits", [0, 2, 3])
def test_rounded_amounts_add_up_to_the_rounded_total(digits: int) -> None:
    unit = Decimal(1).scaleb(-digits)
    for texts in (
        ("0.005",) * 7,
        ("-0.005",) * 3,
        ("1.4", "-0.4", "0.333333333333333333", "-7.125"),
        ("0", "0"),
        ("12345678901234567890.000000000000000005", "0.994999999999999995"),
        (),
    ):
        amounts = [Decimal(text) for text in texts]
        printed = round_to_total(amounts, digits)
        assert exact_sum(printed) == exact_sum(amounts).quantize(unit, "ROUND_HALF_UP")
        assert all(abs(a - b) < unit for a, b in zip(amounts, printed, strict=True))
        assert not any(p.is_signed() for p in printed if not p)
