"""The report of a search: one page that needs nothing beside it."""
