"""Statements as one HTML page to print: a sheet for each project and currency.

Put here: the page. Keep out: amounts and rounding (application/statement_documents.py).

The page has everything in itself: no script, no picture, nothing from elsewhere. Every text of a
declaration or a bill is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from html import escape
from typing import IO

from finops_pipeline.application.statement_documents import DocumentPart, StatementDocument
from finops_pipeline.errors import printable
from finops_pipeline.marts.statement_views import StatementLine
from finops_pipeline.money import plain

_STYLE = """
  body { font: 10pt/1.4 sans-serif; color: #111; margin: 2em auto; max-width: 60em; }
  section { page-break-after: always; break-after: page; margin-bottom: 4em; }
  section:last-child { page-break-after: auto; break-after: auto; }
  h1 { font-size: 16pt; margin: 0 0 .2em; } h2 { font-size: 12pt; margin: 1.5em 0 .3em; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .1em 1em; margin: 0; }
  dt { color: #555; } dd { margin: 0; overflow-wrap: anywhere; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; padding: .2em .5em; border-bottom: 1px solid #ddd; }
  td { overflow-wrap: anywhere; }
  .amount { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
  tfoot td, .sum { font-weight: bold; border-bottom: 2px solid #111; }
  .preview { border: 2px solid #a00; color: #a00; padding: .3em .6em; }
  footer { color: #555; font-size: 8pt; margin-top: 1.5em; }
  thead { display: table-header-group; } tr { break-inside: avoid; }
  @page { size: A4; margin: 18mm; }
  @media print { body { margin: 0; max-width: none; } section { margin-bottom: 0; } }
"""
_KINDS = {
    "direct": "",
    "shared_received": "Shared cost received: ",
    "shared_given": "Shared cost given away: ",
}
_BASES = {
    "billed": "billed cost (cash basis)",
    "effective": "effective cost (commitments spread over usage)",
    "net_billed": "billed cost after private discounts",
    "net_effective": "effective cost after private discounts",
}


def write_page(stream: IO[str], documents: Sequence[StatementDocument]) -> None:
    """Write the page."""
    names = sorted({document.head.project for document in documents})
    month = documents[0].head.billing_period
    title = _text(f"{documents[0].tenant} {month}: {', '.join(names)}")
    stream.write('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n')
    stream.write(f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n")
    for document in documents:
        stream.writelines(f"{line}\n" for line in _sheet(document))
    stream.write("</body>\n</html>\n")


def _text(value: object) -> str:
    """Return a value as text of the page, without characters that hide or reorder text."""
    return escape(printable(str(value)))


def _sheet(document: StatementDocument) -> Iterator[str]:
    head = document.head
    yield "<section>"
    name = _text(head.display_name or head.project)
    yield f"<h1>Statement {_text(head.billing_period)}: {name}</h1>"
    if document.parts[0].entry is None:
        yield '<p class="preview">Preview: this month is not closed, and amounts may change.</p>'
    yield "<dl>"
    for name, value in _facts(document):
        if value:
            yield f"<dt>{name}</dt><dd>{_text(value)}</dd>"
    yield "</dl>"
    for part in document.parts:
        yield from _part(part, document.currency)
    if len(document.parts) > 1:
        yield '<table><tr class="sum"><td>Statement and adjustments</td>'
        yield f'<td class="amount">{_amount(document.printed_total)}</td></tr></table>'
    yield (
        "<footer>Amounts are computed exactly and rounded when printed, so that the lines add up to"
        " the total; a line may differ from its own rounding by one unit.</footer>"
    )
    yield "</section>"


def _facts(document: StatementDocument) -> Iterator[tuple[str, str | None]]:
    head = document.head
    yield "Customer", document.title or document.tenant
    yield "Project", head.project
    yield "Environment", head.environment
    yield "Business unit", head.business_unit
    yield "Billing period", head.billing_period
    yield "Currency", document.currency
    yield "Cost basis", _BASES[head.cost_basis]
    yield "State of the month", document.state


def _part(part: DocumentPart, currency: str) -> Iterator[str]:
    entry = part.entry
    if entry is not None:
        name = "Statement" if entry.version == 1 else f"Adjustment, version {entry.version}"
        yield f"<h2>{name} of {_text(entry.closed_at[:10])}</h2>"
        yield f"<p>State of the month: {_text(entry.month_state)}"
        yield f". Reason: {_text(entry.reason)}</p>" if entry.reason else "</p>"
    yield '<table><thead><tr><th>Line</th><th>Kind of cost</th><th class="amount">'
    yield f"{_text(currency)}</th></tr></thead><tbody>"
    for printed in part.lines:
        line = printed.line
        if line.amount:
            group = (line.charge_group or "").replace("_", " ")
            yield f"<tr><td>{_text(_name(printed.line))}</td><td>{_text(group)}</td>"
            yield f'<td class="amount">{_amount(printed.printed)}</td></tr>'
    yield f'</tbody><tfoot><tr><td colspan="2">Total {_text(currency)}</td>'
    yield f'<td class="amount">{_amount(part.printed_total)}</td></tr></tfoot></table>'


def _name(line: StatementLine) -> str:
    if line.line_kind == "markup":
        return f"Mark-up {plain(line.markup_percent)} %"
    if line.line_kind == "fixed_fee":
        return "Fixed fee"
    return f"{_KINDS[line.line_kind]}{line.line}"


def _amount(amount: Decimal) -> str:
    return f"{amount:,f}"
