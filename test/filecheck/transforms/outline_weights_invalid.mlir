// RUN: not canao-opt %s --split-input-file -p outline-weights 2>&1 | filecheck %s

// CHECK: canao.exp in @main depends on an input and is in no layer; run lp-fusion first
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = canao.exp %x : (tensor<4xf32>) -> tensor<4xf32>
  func.return %e : tensor<4xf32>
}
