// RUN: not canao-opt %s -p canao-simplfy 2>&1 | filecheck %s
// RUN: not canao-opt %s -p "cse{level=3}" 2>&1 | filecheck %s --check-prefix OPTION
// RUN: not canao-opt %s -p nothing-like-it 2>&1 | filecheck %s --check-prefix FAR

// CHECK-NOT:  Traceback
// CHECK:      canao-opt: error: no pass is called 'canao-simplfy'; did you mean 'canao-simplify'?
// OPTION-NOT: Traceback
// OPTION:     canao-opt: error: {{.*}}level
// FAR:        no pass is called 'nothing-like-it'; there are convert-torch-to-canao, widen-integers
