"""Contracts of tables as data: columns, types, grain and meaning, and how to look them up.

Put here: every column and table that one package passes to another; the data dictionary and the
checks are generated from them. Keep out: running SQL, files, processing of data.
"""
