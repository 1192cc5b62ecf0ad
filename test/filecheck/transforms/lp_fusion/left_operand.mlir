// RUN: canao-opt %s -p lp-fusion | filecheck %s --check-prefix ONE
// RUN: canao-opt %s -p 'lp-fusion{narrow_tasks=true threads=132}' | filecheck %s --check-prefix ONE
// RUN: canao-opt %s -p 'lp-fusion{threads=2}' | filecheck %s --check-prefix TWO
// RUN: sed s/4x8xf32/128x8xf32/g %s | canao-opt -p 'lp-fusion{threads=2}' | filecheck %s --check-prefix ONE

// What makes the left operand of a product with a weight joins the layer of the product, unless
// threads share few rows: then tasks are columns of the product, and each would make it anew.
func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = canao.weight "w" : tensor<8x8xf32>
  %p = canao.mul %x, %y : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = canao.matmul %p, %w : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// ONE:          canao.layer
// ONE-NEXT:       canao.mul
// ONE-NEXT:       canao.matmul
// ONE-NOT:      canao.layer
// ONE:          func.return

// TWO:          canao.layer
// TWO-NEXT:       canao.mul
// TWO-NOT:        canao.matmul
// TWO:          canao.layer
// TWO-NEXT:       canao.matmul
// TWO:          func.return
