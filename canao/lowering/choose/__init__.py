"""Which schedules a layer may have: the cost model, register tiles, and variants worth measuring.

Takes stages and a machine; gives schedules, the likeliest first. Nothing here measures or emits.
"""
