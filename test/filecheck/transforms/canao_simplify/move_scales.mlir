// RUN: canao-opt %s -p canao-simplify | filecheck %s

// Scales move into weights.

// Into the weight of a product and its bias.
func.func @product(%x: tensor<4x8xf32>) -> tensor<4x2xf32> {
  %w = canao.weight "w" : tensor<8x2xf32>
  %b = canao.weight "b" : tensor<2xf32>
  %c = canao.constant dense<0.5> : tensor<f32>
  %p = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x2xf32>) -> tensor<4x2xf32>
  %s = canao.add %p, %b : (tensor<4x2xf32>, tensor<2xf32>) -> tensor<4x2xf32>
  %r = canao.mul %s, %c : (tensor<4x2xf32>, tensor<f32>) -> tensor<4x2xf32>
  func.return %r : tensor<4x2xf32>
}

// CHECK-LABEL: func.func @product(
// CHECK-NEXT:   %w = canao.weight "w" : tensor<8x2xf32>
// CHECK-NEXT:   %b = canao.weight "b" : tensor<2xf32>
// CHECK-NEXT:   %0 = canao.constant dense<5.000000e-01> : tensor<f32>
// CHECK-NEXT:   %1 = canao.mul %w, %0 : (tensor<8x2xf32>, tensor<f32>) -> tensor<8x2xf32>
// CHECK-NEXT:   %2 = canao.matmul %x, %1 : (tensor<4x8xf32>, tensor<8x2xf32>) -> tensor<4x2xf32>
// CHECK-NEXT:   %3 = canao.mul %b, %0 : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
// CHECK-NEXT:   %r = canao.add %2, %3 : (tensor<4x2xf32>, tensor<2xf32>) -> tensor<4x2xf32>
// CHECK-NEXT:   func.return %r : tensor<4x2xf32>

// From attention scores into the weight of the queries.
func.func @scores(%x: tensor<4x8xf32>, %k: tensor<2x4x4xf32>) -> tensor<2x4x4xf32> {
  %w = canao.weight "w" : tensor<8x8xf32>
  %c = canao.constant dense<2.0> : tensor<f32>
  %p = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %h = canao.reshape %p : (tensor<4x8xf32>) -> tensor<4x2x4xf32>
  %q = canao.transpose %h [1, 0, 2] : (tensor<4x2x4xf32>) -> tensor<2x4x4xf32>
  %s = canao.matmul %q, %k : (tensor<2x4x4xf32>, tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %r = canao.div %s, %c : (tensor<2x4x4xf32>, tensor<f32>) -> tensor<2x4x4xf32>
  func.return %r : tensor<2x4x4xf32>
}

// CHECK-LABEL: func.func @scores(
// CHECK-NEXT:   %w = canao.weight "w" : tensor<8x8xf32>
// CHECK-NEXT:   %0 = canao.constant dense<5.000000e-01> : tensor<f32>
// CHECK-NEXT:   %1 = canao.mul %w, %0 : (tensor<8x8xf32>, tensor<f32>) -> tensor<8x8xf32>
// CHECK-NEXT:   %2 = canao.matmul %x, %1 : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %3 = canao.reshape %2 : (tensor<4x8xf32>) -> tensor<4x2x4xf32>
// CHECK-NEXT:   %4 = canao.transpose %3 [1, 0, 2] : (tensor<4x2x4xf32>) -> tensor<2x4x4xf32>
// CHECK-NEXT:   %r = canao.matmul %4, %k : (tensor<2x4x4xf32>, tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
// CHECK-NEXT:   func.return %r : tensor<2x4x4xf32>

// Not where the product has another use, where no weight is, or where only one term has one.
func.func @stays(%x: tensor<4x4xf32>, %y: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) {
  %w = canao.weight "w" : tensor<4x4xf32>
  %v = canao.weight "v" : tensor<4x4xf32>
  %c = canao.constant dense<0.5> : tensor<f32>
  %p = canao.matmul %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %a = canao.mul %p, %c : (tensor<4x4xf32>, tensor<f32>) -> tensor<4x4xf32>
  %q = canao.matmul %x, %y : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = canao.mul %q, %c : (tensor<4x4xf32>, tensor<f32>) -> tensor<4x4xf32>
  %s = canao.matmul %y, %v : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %t = canao.add %s, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %d = canao.mul %t, %c : (tensor<4x4xf32>, tensor<f32>) -> tensor<4x4xf32>
  func.return %p, %a, %b, %d : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
}

// CHECK-LABEL: func.func @stays(
// CHECK-NEXT:   %w = canao.weight "w" : tensor<4x4xf32>
// CHECK-NEXT:   %v = canao.weight "v" : tensor<4x4xf32>
// CHECK-NEXT:   %c = canao.constant dense<5.000000e-01> : tensor<f32>
// CHECK-NEXT:   %p = canao.matmul %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT:   %a = canao.mul %p, %c : (tensor<4x4xf32>, tensor<f32>) -> tensor<4x4xf32>
// CHECK-NEXT:   %q = canao.matmul %x, %y : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT:   %b = canao.mul %q, %c : (tensor<4x4xf32>, tensor<f32>) -> tensor<4x4xf32>
// CHECK-NEXT:   %s = canao.matmul %y, %v : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT:   %t = canao.add %s, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT:   %d = canao.mul %t, %c : (tensor<4x4xf32>, tensor<f32>) -> tensor<4x4xf32>
// CHECK-NEXT:   func.return %p, %a, %b, %d : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
