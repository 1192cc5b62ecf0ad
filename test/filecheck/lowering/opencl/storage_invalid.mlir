// RUN: not canao-opt %s -t opencl 2>&1 | filecheck %s

// Only memory holds halves: nothing is computed with them.

func.func private @add(%a: memref<4xf16>) attributes {canao.kernel} {
  %x = affine.load %a[0] : memref<4xf16>
  %y = arith.addf %x, %x : f16
  affine.store %y, %a[0] : memref<4xf16>
  func.return
}

func.func @main(%a: memref<4xf16>) attributes {canao.inputs = 0 : i64, canao.weights = 0 : i64, canao.outputs = 1 : i64} {
  func.call @add(%a) : (memref<4xf16>) -> ()
  func.return
}

// CHECK: error: op 'affine.load' in function '@add': a number of type f16 that is loaded and not made a float32: only memory holds such numbers
