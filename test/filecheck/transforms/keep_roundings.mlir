// RUN: canao-opt %s -p keep-roundings --split-input-file | filecheck %s

// Something is decided by the sum: the product is rounded before it is added to.
func.func @decides(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  %p = canao.mul %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %s = canao.add %p, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %f = canao.floor %s : (tensor<4xf32>) -> tensor<4xf32>
  func.return %f : tensor<4xf32>
}

// CHECK-LABEL: @decides
// CHECK-NEXT:    %p = canao.mul %a, %b
// CHECK-NEXT:    %p_1 = canao.keep_rounding %p : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:    %s = canao.add %p_1, %b
// CHECK-NEXT:    %f = canao.floor %s

// -----

// A number stays a number: a compiler may join the product and the sum.
func.func @number(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  %p = canao.mul %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %s = canao.add %p, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %s : tensor<4xf32>
}

// CHECK-LABEL: @number
// CHECK-NEXT:    %p = canao.mul %a, %b
// CHECK-NEXT:    %s = canao.add %p, %b

// -----

// No sum stands between the product and what decides by it.
func.func @at_once(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xi1> {
  %p = canao.mul %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %c = canao.cmp "lt" %p, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  func.return %c : tensor<4xi1>
}

// CHECK-LABEL: @at_once
// CHECK-NEXT:    %p = canao.mul %a, %b
// CHECK-NEXT:    %c = canao.cmp "lt" %p, %b
