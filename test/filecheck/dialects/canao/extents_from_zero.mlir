// RUN: not canao-opt %s 2>&1 | filecheck %s

// CHECK: 'rows' has no values from 0 to 3
func.func private @f(tensor<?xf32, #canao.extents<[rows], rows in 0 to 3>>)
