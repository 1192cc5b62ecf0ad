"""Mathematics of loop nests: index expressions, domains, dependences, splits, legality.

Takes statements and schedules as plain data; gives proofs or what breaks them. It knows no
dialect and no target.
"""
