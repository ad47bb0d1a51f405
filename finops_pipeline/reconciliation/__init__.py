"""Reconciliation of charges with the bill's files, Cost Explorer and invoices.

Put here: comparisons, states and verdicts of a source's month. Keep out: converting charges
(focus), marts, how a state is shown (cli).
"""
