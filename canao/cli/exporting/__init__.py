"""`canao export`: a model as a program, as a page, or as an app.

Takes a model's name and options; gives a directory that needs nothing of canao.
"""
