"""What tables promise: columns, types, grain, meaning. Data, and how a name of it is found.

Put here: every column and table that crosses a room's border; the data dictionary and the
checks are made from it. Keep out: SQL, files, work on data.
"""
