"""canao beside other ways to run the same model, measured in one interleaved run."""
