"""Bills of any size for benchmarks: legacy CUR csv.gz and CUR 2.0 Parquet of the same rows.

Put here: rows made by SQL (fast, the same for the same size), in AWS's own file layout. Keep
out: measuring (ingest.py), and the seeded estate with its known totals. A measured process counts
the memory that its parent held when it was started as its own, so benchmarks run this file as a
process of its own: `make_bill`.

The mix is that of a mid-sized payer: 24 accounts, 60 products, 2,400 usage types, 50,000
resources, 744 hours; 8 % of rows covered by a savings plan with their negations and hourly
fees; line item ids are random, as AWS's are. The files compress about 1:6, less than most real
ones.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb

from finops_pipeline.synthetic.cur_columns import LEGACY_HEADERS, snake

ROWS_PER_FILE = 900_000
"""With negations a million lines: AWS splits a report there, so that a spreadsheet opens a part."""
PARQUET_ROWS_PER_FILE = 1_000_000
ACCOUNTS = 24
TAGS = ("user:Env", "user:Team", "user:Service", "user:CostCenter", "aws:createdBy")

_ROWS = """
with numbered as (
    select i, hash(i) as h, hash(i + 7919) as h2 from range({first}, {last}) t(i)
),
drawn as (
    select
        i, h, h2,
        (h % 100) < 8 as covered,
        (h2 % 2400)::int as usage_no,
        ((h2 // 2400) % 60)::int as product_no,
        ((h // 100) % {accounts})::int as account_no,
        ((h // 10007) % 50000)::int as resource_no,
        timestamp '{month}-01' + interval 1 hour * ((i * 744 // {total})::int % {hours}) as hour
    from numbered
),
priced as (
    select
        *,
        ((usage_no * 37 % 9973) + 1)::decimal(38, 10) / 100000 as rate,
        case
            when (h // 1000003) % 2 = 0 then 1 else ((h // 3) % 99991 + 1)::decimal(38, 10) / 10000
        end as amount
    from drawn
),
usage as (
    select *, (rate * amount)::decimal(38, 10) as cost from priced
),
line as (
    select
        i * 2 as n, *, case when covered then 'SavingsPlanCoveredUsage' else 'Usage' end as kind,
        cost as unblended
    from usage
    union all by name
    select i * 2 + 1 as n, *, 'SavingsPlanNegation' as kind, -cost as unblended
    from usage where covered
    union all by name
    select
        min(i) * 2 + 1 as n, any_value(hour) as hour, 0 as account_no, 0 as usage_no,
        0 as product_no,
        'SavingsPlanRecurringFee' as kind, sum(cost * 0.7)::decimal(38, 10) + 1 as unblended,
        sum(cost * 0.7)::decimal(38, 10) as cost, 1 as amount, 1 as rate, -1 as resource_no,
        any_value(h) as h, any_value(h2) as h2
    from usage where covered group by hour
)
select {columns} from line order by n
"""

_PLAN = "'arn:aws:savingsplans::100000000000:savingsplan/0e5f1c9a-7d7f-4a51-8c27-3d0a9bd6f1b2'"
_COVERED = "kind = 'SavingsPlanCoveredUsage'"
_FEE = "kind = 'SavingsPlanRecurringFee'"
_METERED = "kind in ('Usage', 'SavingsPlanCoveredUsage')"
_TIME = "strftime({}, '%Y-%m-%dT%H:%M:%SZ')"
_REGION = "['us-east-1', 'eu-west-1', 'eu-central-1', 'ap-southeast-2'][1 + usage_no % 4]"
_CODE = (
    "['AmazonEC2', 'AmazonS3', 'AmazonRDS', 'AWSLambda', 'AmazonCloudWatch', 'AmazonDynamoDB',"
    " 'AmazonECS', 'AmazonVPC', 'AWSELB', 'AmazonEKS'][1 + product_no % 10]"
)
_RESOURCE = (
    f"case when resource_no >= 0 then 'arn:aws:ec2:' || {_REGION} || ':' ||"
    " (100000000000 + account_no)::varchar || ':instance/i-' ||"
    " substr(md5(resource_no::varchar), 1, 17) end"
)

_VALUES = {
    "identity_line_item_id": "substr(base64(unhex(sha256(n::varchar))), 1, 44)",
    "identity_time_interval": (
        f"{_TIME.format('hour')} || '/' || {_TIME.format('hour + interval 1 hour')}"
    ),
    "bill_invoicing_entity": "'Amazon Web Services, Inc.'",
    "bill_billing_entity": "'AWS'",
    "bill_bill_type": "'Anniversary'",
    "bill_payer_account_id": "'100000000000'",
    "bill_billing_period_start_date": "timestamp '{month}-01'",
    "bill_billing_period_end_date": "timestamp '{month}-01' + interval 1 month",
    "line_item_usage_account_id": "(100000000000 + account_no)::varchar",
    "line_item_line_item_type": "kind",
    "line_item_usage_start_date": "hour",
    "line_item_usage_end_date": "hour + interval 1 hour",
    "line_item_product_code": _CODE,
    "line_item_usage_type": "'USW2-Use:' || usage_no",
    "line_item_operation": "'Run' || (usage_no % 31)",
    "line_item_availability_zone": f"{_REGION} || 'a'",
    "line_item_resource_id": _RESOURCE,
    "line_item_usage_amount": "amount",
    "line_item_currency_code": "'USD'",
    "line_item_unblended_rate": "rate",
    "line_item_unblended_cost": "unblended",
    "line_item_blended_rate": "rate",
    "line_item_blended_cost": "unblended",
    "line_item_line_item_description": (
        "'$' || rate || ' per unit of usage type ' || usage_no || ' in the region'"
    ),
    "line_item_legal_entity": "'Amazon Web Services, Inc.'",
    "product_product_name": "'Amazon product number ' || product_no",
    "product_instance_family": "'General purpose'",
    "product_instance_type": "'m' || (usage_no % 8) || '.' || (usage_no % 5) || 'xlarge'",
    "product_location": f"'Region ' || {_REGION}",
    "product_location_type": "'AWS Region'",
    "product_operating_system": "'Linux'",
    "product_product_family": "'Compute Instance'",
    "product_region": _REGION,
    "product_region_code": _REGION,
    "product_servicecode": _CODE,
    "product_sku": "upper(substr(md5(usage_no::varchar), 1, 16))",
    "product_usagetype": "'USW2-Use:' || usage_no",
    "pricing_rate_code": "upper(substr(md5(usage_no::varchar), 1, 16)) || '.JRTCKXETXF.6YS6EN2CT7'",
    "pricing_rate_id": "(usage_no::bigint * 1000003)::varchar",
    "pricing_currency": "'USD'",
    "pricing_public_on_demand_cost": f"case when {_METERED} then cost end",
    "pricing_public_on_demand_rate": f"case when {_METERED} then rate end",
    "pricing_term": "'OnDemand'",
    "pricing_unit": "'Hrs'",
    "savings_plan_total_commitment_to_date": f"case when {_FEE} then unblended end",
    "savings_plan_savings_plan_a_r_n": f"case when kind <> 'Usage' then {_PLAN} end",
    "savings_plan_savings_plan_rate": f"case when {_COVERED} then rate * 0.7 end",
    "savings_plan_used_commitment": f"case when {_FEE} then cost end",
    "savings_plan_savings_plan_effective_cost": (
        f"case when {_COVERED} then (cost * 0.7)::decimal(38, 10) end"
    ),
    "savings_plan_offering_type": f"case when {_FEE} then 'ComputeSavingsPlans' end",
}
_TIMES = (
    "bill_billing_period_start_date",
    "bill_billing_period_end_date",
    "line_item_usage_start_date",
    "line_item_usage_end_date",
)
_TAG_VALUES = {
    "user:Env": "['prod', 'staging', 'dev'][1 + account_no % 3]",
    "user:Team": "'team-' || (resource_no % 40)",
    "user:Service": "'service-' || (resource_no % 300)",
    "user:CostCenter": "(4000 + resource_no % 90)::varchar",
    "aws:createdBy": "case when resource_no % 3 = 0 then 'AssumedRole:AROA' ||"
    " upper(substr(md5((resource_no % 500)::varchar), 1, 12)) end",
}


@dataclass(frozen=True)
class Part:
    """Rows `first` to `last` (exclusive) of a month of `total` rows: one file."""

    first: int
    last: int
    total: int
    month: str

    def query(self, columns: list[str]) -> str:
        """SQL that makes the part's lines with these select expressions."""
        return _ROWS.format(
            first=self.first,
            last=self.last,
            total=max(self.total, 744),
            month=self.month,
            hours=720,
            accounts=ACCOUNTS,
            columns=", ".join(columns).replace("{month}", self.month),
        )


def write_legacy(folder: Path, rows: int, month: str) -> Path:
    """Write a month of a legacy CUR as csv.gz files with their manifest, below `folder`.

    Returns the report's folder. Existing files are kept.
    """
    columns = []
    for header in LEGACY_HEADERS:
        value = _VALUES.get(snake(header), "null")
        if snake(header) in _TIMES:
            value = _TIME.format(f"({value})")
        columns.append(f'{value} as "{header}"')
    columns += [f'{_TAG_VALUES[tag]} as "resourceTags/{tag}"' for tag in TAGS]
    year, number = int(month[:4]), int(month[5:])
    span = f"{month.replace('-', '')}01-{year + number // 12}{number % 12 + 1:02d}01"
    target = folder / span
    target.mkdir(parents=True, exist_ok=True)
    parts = -(-rows // ROWS_PER_FILE)
    names = [f"report-{part}.csv.gz" for part in range(1, parts + 1)]
    size = -(-rows // parts)

    def write_part(part: int) -> None:
        path = target / names[part]
        if path.exists():
            return
        text = path.with_name(f"part-{part}.csv")
        with duckdb.connect() as connection:
            connection.execute("set threads = 1")
            sql = Part(part * size, min((part + 1) * size, rows), rows, month).query(columns)
            connection.execute(f"copy ({sql}) to '{text}' (header, delimiter ',')")
        with path.with_suffix(".part").open("wb") as out:
            subprocess.run(["gzip", "-6", "-c", str(text)], stdout=out, check=True)
        text.unlink()
        path.with_suffix(".part").rename(path)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write_part, range(parts)))
    manifest = {
        "assemblyId": f"bench-{rows}",
        "billingPeriod": {"start": span[:8] + "T000000.000Z", "end": span[9:] + "T000000.000Z"},
        "reportKeys": [f"report/{span}/{name}" for name in names],
    }
    (target / "report-Manifest.json").write_text(json.dumps(manifest))
    return folder


_NUMBERS = ("amount", "cost", "rate", "commitment", "fee", "quantity")


def write_cur_2(folder: Path, rows: int, month: str) -> Path:
    """Write the same month as a CUR 2.0 Parquet export (doubles and maps, as AWS types them)."""
    data = folder / "data" / f"BILLING_PERIOD={month}"
    meta = folder / "metadata" / f"BILLING_PERIOD={month}"
    columns = []
    for header in LEGACY_HEADERS:
        name = snake(header)
        value = _VALUES.get(name, "null::varchar")
        if name.endswith(("_amount", "_cost")) or (
            name.startswith("reservation_") and any(word in name for word in _NUMBERS)
        ):
            value = f"({value})::double"
        elif name in _TIMES:
            value = f"({value})::timestamp_ms"
        elif value != "null::varchar":
            value = f"({value})::varchar"
        columns.append(f"{value} as {name}")
    pairs = ", ".join(
        f"'{tag.replace('user:', 'user_').replace('aws:', 'aws_')}': {_TAG_VALUES[tag]}"
        for tag in TAGS
    )
    columns.append(f"map {{{pairs}}} as resource_tags")
    columns.append("map {'product_name': 'Amazon product number ' || product_no} as product")
    parts = -(-rows // PARQUET_ROWS_PER_FILE)
    names = [f"export-{part:05d}.snappy.parquet" for part in range(1, parts + 1)]
    data.mkdir(parents=True, exist_ok=True)
    meta.mkdir(parents=True, exist_ok=True)
    size = -(-rows // parts)
    with duckdb.connect() as connection:
        for part, name in enumerate(names):
            if (data / name).exists():
                continue
            sql = Part(part * size, min((part + 1) * size, rows), rows, month).query(columns)
            staged = data / f"{name}.part"
            connection.execute(f"copy ({sql}) to '{staged}' (format parquet, compression snappy)")
            staged.rename(data / name)
    manifest = {
        "executionId": f"bench-{rows}",
        "dataFiles": [f"s3://bench/export/data/{data.name}/{name}" for name in names],
    }
    (meta / "export-Manifest.json").write_text(json.dumps(manifest))
    return folder


WRITERS = {"legacy-cur": write_legacy, "cur-2.0": write_cur_2}


def make_bill(form: str, folder: Path, rows: int, month: str) -> Path:
    """Write a month's bill in a process of its own; a month is one delivery below `folder`."""
    command = [sys.executable, __file__, form, str(folder), str(rows), month]
    subprocess.run(command, check=True)
    return folder


def main() -> None:
    """Write one bill."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("form", choices=sorted(WRITERS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("month")
    options = parser.parse_args()
    WRITERS[options.form](options.folder, options.rows, options.month)


if __name__ == "__main__":
    main()
