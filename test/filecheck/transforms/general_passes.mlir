// RUN: canao-opt %s -p dce | filecheck %s --check-prefix DEAD
// RUN: canao-opt %s -p cse | filecheck %s --check-prefix EQUAL
// RUN: canao-opt %s -p canonicalize | filecheck %s --check-prefix CANONICAL

// Operations of the dialect are pure, and weights and constants too: general passes may remove them.
func.func @main(%a: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %w = canao.weight "unused" : tensor<4xf32>
  %d = canao.gelu %w approximate "none" : (tensor<4xf32>) -> tensor<4xf32>
  %x = canao.exp %a : (tensor<4xf32>) -> tensor<4xf32>
  %y = canao.exp %a : (tensor<4xf32>) -> tensor<4xf32>
  func.return %x, %y : tensor<4xf32>, tensor<4xf32>
}

// DEAD-LABEL: @main
// DEAD-NEXT:    %x = canao.exp %a
// DEAD-NEXT:    %y = canao.exp %a
// DEAD-NEXT:    func.return %x, %y

// EQUAL-LABEL: @main
// EQUAL:         %x = canao.exp %a
// EQUAL-NOT:     canao.exp
// EQUAL:         func.return %x, %x

// CANONICAL-LABEL: @main
// CANONICAL-NEXT:    %x = canao.exp %a
// CANONICAL-NEXT:    %y = canao.exp %a
// CANONICAL-NEXT:    func.return %x, %y
