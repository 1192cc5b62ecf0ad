"""Loops of stages under a schedule: products, reductions, elementwise arithmetic, prefetching.

Takes stages and a legal schedule; gives operations of affine, arith and vector on buffers.
Nothing here chooses, proves or prints.
"""
