"""Stage 3: charges become aggregated tables in the tenant's DuckDB file.

Put here: marts and checks as plain SQL, and the refresh that runs them by slice. Keep out:
rules of single charges (focus), writing and swapping the file (lake/warehouse.py).
"""
