// RUN: not canao-opt %s -t c 2>&1 | filecheck %s

func.func private @kernel(%o: memref<1xf32>) attributes {canao.kernel} {
  %x = arith.constant 0.5 : f32
  %y = math.cbrt %x : f32
  affine.store %y, %o[0] : memref<1xf32>
  func.return
}

func.func @main(%o: memref<1xf32>) attributes {canao.inputs = 0 : i64, canao.weights = 0 : i64, canao.outputs = 1 : i64} {
  func.call @kernel(%o) : (memref<1xf32>) -> ()
  func.return
}

// CHECK: op 'math.cbrt' in function '@kernel': it has no form in C; lower it before printing
