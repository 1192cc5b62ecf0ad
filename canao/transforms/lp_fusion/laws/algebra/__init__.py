"""Laws of sums and products on expressions of many operands, and the search for cheaper ones.

Takes operations; gives equal ones that cost less. Which operations are sums and products, they say
themselves.
"""
