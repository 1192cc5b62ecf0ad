"""Commands of the applications: a question answered, a text written, both on a page."""
