"""The world inside: the only room that spells paths, writes files and opens DuckDB.

Put here: layout, atomic publication, the ledger, connections, the tenant's file. Keep out:
AWS, what a column means, which SQL is run.
"""
