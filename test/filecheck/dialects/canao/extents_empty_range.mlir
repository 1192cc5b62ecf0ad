// RUN: not canao-opt %s 2>&1 | filecheck %s

// CHECK: 'rows' has no values from 3 to 3
func.func private @f(tensor<?xf32, #canao.extents<[rows], rows in 3 to 3>>)
