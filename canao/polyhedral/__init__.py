"""Mathematics of loop nests: index expressions, domains, splits. Knows no dialect."""
