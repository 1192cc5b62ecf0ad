// RUN: not canao-opt %s 2>&1 | filecheck %s

// CHECK: the values of 'rows' are not said
func.func private @f(tensor<?xf32, #canao.extents<[rows], columns in 1 to 3>>)
