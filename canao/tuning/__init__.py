"""Decides by measuring: schedules of layers and the number of threads, remembered for later.

Takes layers and variants; gives winners. Variants come from `lowering.choose`; they run in a child
process. Nothing here knows how loops are emitted.
"""
