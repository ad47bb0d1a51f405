"""A seeded estate: two tenants whose bills are written in AWS's real export formats.

Put here: whatever the demo, the tests and the benchmarks need to have bills without AWS. Keep out:
reading exports, FOCUS conformance, anything that processes a real tenant's data.

Layers of this package; a module imports only from the layers below it:

    estate | waste_estate                     the public interface: the estate, planted waste
    waste_of_bills | waste_of_resources       the plan of the waste
    waste_items                               what an item of the plan is
    truth | declaration                       totals of a month | tenants.yaml
    legacy_cur | cur_2 | focus_export         one writer per format
    parquet_export                            common parts of the two Data Exports
    packing                                   text of values, CSV in gzip or zip
    cur_columns | focus_rows                  a line as CUR columns | a line as FOCUS rows
    scenario                                  one source-month as a list of lines
    reservations | savings_plans | fees       the parts of a bill, by theme
    commitments                               common parts of both kinds of commitment
    usage                                     metered usage, and the context of a source-month
    spec | streams                            the two tenants | the resources that run
    rows | forms                              a line and its period | the forms of a bill
    catalogue                                 AWS services and regions
"""
