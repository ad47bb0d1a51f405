"""Who is served: tenants, their sources and projects, and where that is written down.

Put here: the nouns, their grammar, the registry and its declared form. Keep out: anything
that reads a bill or a file of the lake.
"""
