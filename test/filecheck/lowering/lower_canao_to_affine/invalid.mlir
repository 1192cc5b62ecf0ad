// RUN: not canao-opt %s -p lower-canao-to-affine 2>&1 | filecheck %s

// CHECK: canao.exp in @main is outside any layer; run lp-fusion and outline-weights first
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = canao.exp %x : (tensor<4xf32>) -> tensor<4xf32>
  func.return %e : tensor<4xf32>
}
