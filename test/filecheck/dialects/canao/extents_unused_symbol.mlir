// RUN: not canao-opt %s 2>&1 | filecheck %s

// CHECK: every symbol must be in an extent
func.func private @f(tensor<?xf32, #canao.extents<[rows], rows in 1 to 3, columns in 1 to 3>>)
