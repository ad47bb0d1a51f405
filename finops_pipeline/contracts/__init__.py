"""What tables promise: columns, types, grain, meaning. Data, no behaviour.

Put here: every column and table that crosses a room's border; the data dictionary and the
checks are made from it. Keep out: SQL, files, anything that runs.
"""
