"""Good deliveries and what may be wrong with them: the catalogue of the mutation suite.

Put here: one module per family of damage, each a list of `Mutation`s whose right outcome is known
without the pipeline. Keep out: tests (test_mutations.py) and fixtures.
"""
