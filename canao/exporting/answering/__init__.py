"""Exports that answer questions from text to text: a tokenizer and the choice of spans, in C.

Takes a fast tokenizer and a compiled model of starts and ends; gives `tokenizer.bin` and what
`export_program` lays beside it. It knows neither PyTorch nor the applications.
"""
