"""The use cases, which the command line, Dagster and Python callers share.

Put here: the order of work and which tenants, sources, projects and months it covers. Keep out:
the work of each stage, how the command line or Dagster presents the result.
"""
