"""Numpy semantics of the canao dialect: the oracle of the tests."""
