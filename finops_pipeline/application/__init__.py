"""The use cases: one file each, called alike by the command line, Dagster and Python.

Put here: the order of work and which tenants, sources, projects and months it covers. Keep out:
the stages' own work, how a doorway formats answers.
"""
