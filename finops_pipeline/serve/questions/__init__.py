"""Questions about costs as data, and their answers: one meaning for the command line and programs.

Put here: what can be asked, what names mean, the SQL of a question, its answer. Keep out: running
SQL within limits (serve/sandbox.py), formatting (cli).
"""
