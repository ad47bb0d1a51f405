"""Read access to a tenant's file for every reader outside the pipeline.

Put here: the locked connection, and the caveat of an answer. Keep out: building the file (marts,
lake), formatting answers (cli).
"""
