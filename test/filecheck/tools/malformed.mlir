// RUN: not canao-opt %s 2>&1 | filecheck %s
// A traceback would print before the message; the message is the first line.

func.func @main(%a: tensor<2xf32>) -> tensor<2xf32> {
  %b = canao.exp %a : tensor<2xf32>
  func.return %b : tensor<2xf32>
}

// CHECK-NOT:  Traceback
// CHECK:      malformed.mlir:5:23: error: {{.*}}
