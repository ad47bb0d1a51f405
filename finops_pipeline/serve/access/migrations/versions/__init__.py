"""One file for each version of the access database, named after it; never changed afterwards."""
