"""The ledger of a tenant: deliveries that landed, inputs of partitions, refused deliveries.

Put here: the tables of ledger.sqlite, their records, reading and writing them. Keep out: moving
files (lake), the state of a month (reconciliation).
"""
