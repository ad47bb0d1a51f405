"""A seeded estate: two tenants whose bills are written in AWS's real export formats.

Put here: what the demo, the tests and the benchmarks need in order to have a bill without AWS.
Keep out: reading exports, FOCUS conformance, anything that a real tenant's data passes through.

Floors inside the room, imports go down only:

    estate                                    the public doorway
    truth | declaration                       what a month adds up to | tenants.yaml
    legacy_cur | cur_2 | focus_export         one writer per format
    parquet_export                            what the two Data Exports share
    packing                                   text of values, CSV in gzip or zip
    cur_columns | focus_rows                  a line as CUR columns | a line as FOCUS rows
    scenario                                  one source-month as a list of lines
    reservations | savings_plans | fees       the parts of a bill, by theme
    commitments                               what both kinds of commitment share
    usage                                     metered usage, and the scene all parts play in
    spec | streams                            who the tenants are | which resources run
    rows | forms                              the line itself and its period | how it is written
    catalogue                                 AWS services and regions
"""
