"""Writes an Android app that answers questions around an exported model.

Takes what writes the model as C with its tokenizer; gives a Gradle project. It knows neither
PyTorch nor the applications.
"""
