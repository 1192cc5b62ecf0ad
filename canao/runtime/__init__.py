"""Building, loading, calling and measuring emitted code.

Nothing here imports PyTorch except `canao.runtime.tensors`, so that the child
process of `canao.runtime.guard` starts quickly.
"""
