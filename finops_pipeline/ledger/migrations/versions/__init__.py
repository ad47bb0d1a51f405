"""One file for each version of a ledger, named after the version; never changed afterwards."""
