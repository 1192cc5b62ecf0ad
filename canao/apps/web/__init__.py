"""Pages that answer questions wholly in the browser: a folder of static files.

Takes a `QuestionAnswerer` that was compiled for browsers; gives the folder. What the pages of the
demo have that fits is taken from there.
"""
