"""The ledger of a tenant: what landed, what each partition was built from, what was refused.

Put here: the tables of ledger.sqlite, their records, reading and writing them. Keep out: moving
files (lake), what the records mean for a month (reconciliation).
"""
