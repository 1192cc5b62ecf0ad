"""From fused layers to loop nests to text: the passes, and the road that calls them.

Takes a module of `canao.layer` operations; gives a `Program`. The rooms below run in this order:
stages, schedules, choose, emit, then c or opencl. Nothing here builds, runs or measures.
"""
