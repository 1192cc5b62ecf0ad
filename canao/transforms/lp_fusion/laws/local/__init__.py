"""Laws that look at one operation and those that make its operands: products, slices."""
