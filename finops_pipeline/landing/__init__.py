"""Stage 1: a delivery becomes Parquet in the source's own columns, every row accounted for.

Put here: reading files, validating rows, quarantine. Keep out: what a row means as a charge
(focus), where exports lie (sources).
"""
