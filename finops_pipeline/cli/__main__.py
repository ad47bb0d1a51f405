"""`python -m finops_pipeline.cli` is `finops`."""

from finops_pipeline.cli.start import main

if __name__ == "__main__":
    main()
