"""What tests are built from: bills, servers, faults and a process of the command line."""
