"""canao beside other ways to run the same model, measured in one interleaved run.

Takes models and the names of peers; gives tables of ratios. Each peer runs in an environment of
its own, so that nothing here imports one.
"""
