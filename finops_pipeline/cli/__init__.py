"""The `finops` command line: each command parses its arguments, makes one call and prints.

Put here: commands and how results are shown. Keep out: any decision about data.
"""
