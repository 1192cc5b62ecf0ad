"""What a search leaves: the found model with its card, and one page of HTML.

Takes the result of a search; gives files.
"""
