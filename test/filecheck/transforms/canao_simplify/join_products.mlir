// RUN: canao-opt %s -p canao-simplify | filecheck %s

// Products that share an input become one.

// With biases.
func.func @biased(%x: tensor<2x4x8xf32>) -> (tensor<2x4x3xf32>, tensor<2x4x5xf32>) {
  %w = canao.weight "w" : tensor<8x3xf32>
  %b = canao.weight "b" : tensor<3xf32>
  %p = canao.matmul %x, %w : (tensor<2x4x8xf32>, tensor<8x3xf32>) -> tensor<2x4x3xf32>
  %q = canao.add %p, %b : (tensor<2x4x3xf32>, tensor<3xf32>) -> tensor<2x4x3xf32>
  %v = canao.weight "v" : tensor<5x8xf32>
  %t = canao.transpose %v [1, 0] : (tensor<5x8xf32>) -> tensor<8x5xf32>
  %c = canao.weight "c" : tensor<1x5xf32>
  %r = canao.matmul %x, %t : (tensor<2x4x8xf32>, tensor<8x5xf32>) -> tensor<2x4x5xf32>
  %s = canao.add %c, %r : (tensor<1x5xf32>, tensor<2x4x5xf32>) -> tensor<2x4x5xf32>
  func.return %q, %s : tensor<2x4x3xf32>, tensor<2x4x5xf32>
}

// CHECK-LABEL: func.func @biased(
// CHECK-NEXT:   %w = canao.weight "w" : tensor<8x3xf32>
// CHECK-NEXT:   %b = canao.weight "b" : tensor<3xf32>
// CHECK-NEXT:   %v = canao.weight "v" : tensor<5x8xf32>
// CHECK-NEXT:   %t = canao.transpose %v [1, 0] : (tensor<5x8xf32>) -> tensor<8x5xf32>
// CHECK-NEXT:   %c = canao.weight "c" : tensor<1x5xf32>
// CHECK-NEXT:   %0 = canao.concat %w, %t axis 1 : (tensor<8x3xf32>, tensor<8x5xf32>) -> tensor<8x8xf32>
// CHECK-NEXT:   %1 = canao.matmul %x, %0 : (tensor<2x4x8xf32>, tensor<8x8xf32>) -> tensor<2x4x8xf32>
// CHECK-NEXT:   %2 = canao.reshape %c : (tensor<1x5xf32>) -> tensor<5xf32>
// CHECK-NEXT:   %3 = canao.concat %b, %2 axis 0 : (tensor<3xf32>, tensor<5xf32>) -> tensor<8xf32>
// CHECK-NEXT:   %4 = canao.add %1, %3 : (tensor<2x4x8xf32>, tensor<8xf32>) -> tensor<2x4x8xf32>
// CHECK-NEXT:   %q = canao.slice %4 starts [0, 0, 0] steps [1, 1, 1] : (tensor<2x4x8xf32>) -> tensor<2x4x3xf32>
// CHECK-NEXT:   %s = canao.slice %4 starts [0, 0, 3] steps [1, 1, 1] : (tensor<2x4x8xf32>) -> tensor<2x4x5xf32>
// CHECK-NEXT:   func.return %q, %s : tensor<2x4x3xf32>, tensor<2x4x5xf32>

// A bias stays where not all products have one.
func.func @one_bias(%x: tensor<4x8xf32>) -> (tensor<4x3xf32>, tensor<4x5xf32>) {
  %w = canao.weight "w" : tensor<8x3xf32>
  %b = canao.weight "b" : tensor<3xf32>
  %v = canao.weight "v" : tensor<8x5xf32>
  %p = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
  %q = canao.add %p, %b : (tensor<4x3xf32>, tensor<3xf32>) -> tensor<4x3xf32>
  %r = canao.matmul %x, %v : (tensor<4x8xf32>, tensor<8x5xf32>) -> tensor<4x5xf32>
  func.return %q, %r : tensor<4x3xf32>, tensor<4x5xf32>
}

// CHECK-LABEL: func.func @one_bias(
// CHECK-NEXT:   %w = canao.weight "w" : tensor<8x3xf32>
// CHECK-NEXT:   %b = canao.weight "b" : tensor<3xf32>
// CHECK-NEXT:   %v = canao.weight "v" : tensor<8x5xf32>
// CHECK-NEXT:   %0 = canao.concat %w, %v axis 1 : (tensor<8x3xf32>, tensor<8x5xf32>) -> tensor<8x8xf32>
// CHECK-NEXT:   %1 = canao.matmul %x, %0 : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %p = canao.slice %1 starts [0, 0] steps [1, 1] : (tensor<4x8xf32>) -> tensor<4x3xf32>
// CHECK-NEXT:   %q = canao.add %p, %b : (tensor<4x3xf32>, tensor<3xf32>) -> tensor<4x3xf32>
// CHECK-NEXT:   %r = canao.slice %1 starts [0, 3] steps [1, 1] : (tensor<4x8xf32>) -> tensor<4x5xf32>
// CHECK-NEXT:   func.return %q, %r : tensor<4x3xf32>, tensor<4x5xf32>

// Not of different inputs, with weights that are inputs, or on the other side.
func.func @apart(%x: tensor<4x4xf32>, %y: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) {
  %w = canao.weight "w" : tensor<4x4xf32>
  %v = canao.weight "v" : tensor<4x4xf32>
  %a = canao.matmul %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = canao.matmul %y, %v : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %c = canao.matmul %x, %y : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %d = canao.matmul %v, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  func.return %a, %b, %c, %d : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
}

// CHECK-LABEL: func.func @apart(
// CHECK-NEXT:   %w = canao.weight "w" : tensor<4x4xf32>
// CHECK-NEXT:   %v = canao.weight "v" : tensor<4x4xf32>
// CHECK-NEXT:   %a = canao.matmul %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT:   %b = canao.matmul %y, %v : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT:   %c = canao.matmul %x, %y : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT:   %d = canao.matmul %v, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT:   func.return %a, %b, %c, %d : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
