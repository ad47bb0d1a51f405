"""One file for each version of the registry, named after the version; never changed afterwards."""
