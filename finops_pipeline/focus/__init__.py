"""Stage 2: landed bills become FOCUS charges, one file per project and month.

Put here: reading a source's columns under canonical names, the conversions (sql/), checks of the
result. Keep out: how a bill lands (landing), aggregation (marts).
"""
