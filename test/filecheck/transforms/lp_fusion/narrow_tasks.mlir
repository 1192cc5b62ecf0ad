// RUN: canao-opt %s -p lp-fusion | filecheck %s --check-prefix WIDE
// RUN: canao-opt %s -p 'lp-fusion{narrow_tasks=true}' | filecheck %s --check-prefix NARROW
// RUN: canao-opt %s -p 'lp-fusion{threads=2}' | filecheck %s --check-prefix NARROW
// RUN: sed -e s/4x8xf32/128x8xf32/g -e s/8x4xf32/8x128xf32/g -e s/4x4xf32/128x128xf32/g %s | canao-opt -p 'lp-fusion{threads=2}' | filecheck %s --check-prefix WIDE

// A norm folds the rows of a product with a weight: it joins that layer, unless tasks are
// narrow, or threads share so few rows. What works element by element joins in any case, and
// so does the softmax of scores, whose product has no weight.
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = canao.weight "w" : tensor<8x8xf32>
  %b = canao.weight "b" : tensor<8xf32>
  %t = canao.transpose %x [1, 0] : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %s = canao.matmul %x, %t : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
  %p = canao.softmax %s axis 1 : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %c = canao.matmul %p, %x : (tensor<4x4xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %y = canao.matmul %c, %w : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %r = canao.add %y, %x : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %g = canao.gelu %r approximate "none" : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %n = canao.layer_norm %g, %b, %b epsilon 1.0e-05 : f64 : (tensor<4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  func.return %n : tensor<4x8xf32>
}

// WIDE:         canao.layer
// WIDE:           canao.matmul
// WIDE:           canao.softmax
// WIDE:           canao.matmul
// WIDE:         canao.layer
// WIDE:           canao.matmul
// WIDE:           canao.gelu
// WIDE-NEXT:      canao.layer_norm
// WIDE-NOT:     canao.layer
// WIDE:         func.return

// NARROW:       canao.layer
// NARROW:         canao.matmul
// NARROW:         canao.softmax
// NARROW:         canao.matmul
// NARROW:       canao.layer
// NARROW:         canao.matmul
// NARROW:         canao.gelu
// NARROW:       canao.layer
// NARROW-NEXT:    canao.layer_norm
// NARROW:       func.return
