"""The roof: the `finops` command. Words in, one call to the floors below, words out.

Put here: commands and how answers are shown. Keep out: any decision about data.
"""
