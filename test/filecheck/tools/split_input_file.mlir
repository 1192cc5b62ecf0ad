// RUN: canao-opt %s --split-input-file | filecheck %s

func.func @first(%a: tensor<2xf32>) -> tensor<2xf32> {
  func.return %a : tensor<2xf32>
}

// -----

func.func @second(%a: tensor<3xf32>) -> tensor<3xf32> {
  func.return %a : tensor<3xf32>
}

// CHECK: func.func @first
// CHECK: // {{-+}}
// CHECK: func.func @second
