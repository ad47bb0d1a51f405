"""The lake on disk: the only package that builds its paths, writes its files and opens DuckDB.

Put here: layout, atomic publication, connections, the tenant's DuckDB file. Keep out: the ledger's
records (ledger), AWS, the meaning of columns, the SQL of the stages.
"""
