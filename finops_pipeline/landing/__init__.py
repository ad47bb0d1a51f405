"""Stage 1: turn a delivery into Parquet in the source's own columns, with every row counted.

Put here: reading files, validating rows, quarantine. Keep out: the meaning of a row as a charge
(focus), finding and fetching exports (sources).
"""
