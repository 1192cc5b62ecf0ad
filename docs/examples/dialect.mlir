// What docs/dialect.md shows.
//
// RUN: canao-opt %s | filecheck %s --check-prefix PRINTED
// RUN: canao-opt %s | canao-opt - | filecheck %s --check-prefix PRINTED

func.func @attend(%q: tensor<2x4x8xf32>, %k: tensor<2x8x4xf32>, %mask: tensor<4xf32>) -> tensor<2x4x4xf32> {
  %s = canao.matmul %q, %k : (tensor<2x4x8xf32>, tensor<2x8x4xf32>) -> tensor<2x4x4xf32>
  %m = canao.add %s, %mask : (tensor<2x4x4xf32>, tensor<4xf32>) -> tensor<2x4x4xf32>
  %p = canao.softmax %m axis 2 : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  func.return %p : tensor<2x4x4xf32>
}

func.func @layer(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %r = canao.layer(%a = %x, %b = %y) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> {
    %s = canao.add %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    canao.yield %s : tensor<4xf32>
  }
  func.return %r : tensor<4xf32>
}

// PRINTED:      func.func @attend
// PRINTED-NEXT:   %s = canao.matmul %q, %k
// PRINTED-NEXT:   %m = canao.add %s, %mask
// PRINTED-NEXT:   %p = canao.softmax %m axis 2
// PRINTED:      canao.layer(%a = %x, %b = %y)
