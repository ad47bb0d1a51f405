"""Contracts of tables: columns, types, grain and meaning, as data, and looking them up by name.

Put here: every column and table that one package hands to another; the data dictionary and the
checks are made from them. Keep out: SQL, files, work on data.
"""
