// RUN: canao-opt %s --split-input-file -p canao-simplify | filecheck %s

// An adapter with a bias of the layer and a scale: x w + b + 2 ((x a) c).
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x6xf32> {
  %w = canao.weight "w" : tensor<8x6xf32>
  %b = canao.weight "b" : tensor<6xf32>
  %a = canao.weight "a" : tensor<8x2xf32>
  %c = canao.weight "c" : tensor<2x6xf32>
  %s = canao.constant dense<2.0> : tensor<f32>
  %0 = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %1 = canao.add %0, %b : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
  %2 = canao.matmul %x, %a : (tensor<4x8xf32>, tensor<8x2xf32>) -> tensor<4x2xf32>
  %3 = canao.matmul %2, %c : (tensor<4x2xf32>, tensor<2x6xf32>) -> tensor<4x6xf32>
  %4 = canao.mul %3, %s : (tensor<4x6xf32>, tensor<f32>) -> tensor<4x6xf32>
  %r = canao.add %1, %4 : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
  func.return %r : tensor<4x6xf32>
}

// CHECK-LABEL:   func.func @main(%x: tensor<4x8xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT:      %w = canao.weight "w" : tensor<8x6xf32>
// CHECK-NEXT:      %b = canao.weight "b" : tensor<6xf32>
// CHECK-NEXT:      %a = canao.weight "a" : tensor<8x2xf32>
// CHECK-NEXT:      %c = canao.weight "c" : tensor<2x6xf32>
// CHECK-NEXT:      %s = canao.constant dense<2.000000e+00> : tensor<f32>
// CHECK-NEXT:      %0 = canao.matmul %a, %c : (tensor<8x2xf32>, tensor<2x6xf32>) -> tensor<8x6xf32>
// CHECK-NEXT:      %1 = canao.mul %0, %s : (tensor<8x6xf32>, tensor<f32>) -> tensor<8x6xf32>
// CHECK-NEXT:      %2 = canao.add %w, %1 : (tensor<8x6xf32>, tensor<8x6xf32>) -> tensor<8x6xf32>
// CHECK-NEXT:      %3 = canao.matmul %x, %2 : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      %r = canao.add %3, %b : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      func.return %r : tensor<4x6xf32>
// CHECK-NEXT:    }

// -----

// An adapter alone: one product would be more work.
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x6xf32> {
  %a = canao.weight "a" : tensor<8x2xf32>
  %c = canao.weight "c" : tensor<2x6xf32>
  %b = canao.weight "b" : tensor<6xf32>
  %0 = canao.matmul %x, %a : (tensor<4x8xf32>, tensor<8x2xf32>) -> tensor<4x2xf32>
  %1 = canao.matmul %0, %c : (tensor<4x2xf32>, tensor<2x6xf32>) -> tensor<4x6xf32>
  %r = canao.add %1, %b : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
  func.return %r : tensor<4x6xf32>
}

// CHECK-LABEL:   func.func @main(%x: tensor<4x8xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT:      %a = canao.weight "a" : tensor<8x2xf32>
// CHECK-NEXT:      %c = canao.weight "c" : tensor<2x6xf32>
// CHECK-NEXT:      %b = canao.weight "b" : tensor<6xf32>
// CHECK-NEXT:      %0 = canao.matmul %x, %a : (tensor<4x8xf32>, tensor<8x2xf32>) -> tensor<4x2xf32>
// CHECK-NEXT:      %1 = canao.matmul %0, %c : (tensor<4x2xf32>, tensor<2x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      %r = canao.add %1, %b : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      func.return %r : tensor<4x6xf32>
// CHECK-NEXT:    }

// -----

// The adapter varies: it is no weight.
func.func @main(%x: tensor<4x8xf32>, %a: tensor<8x2xf32>) -> tensor<4x6xf32> {
  %w = canao.weight "w" : tensor<8x6xf32>
  %c = canao.weight "c" : tensor<2x6xf32>
  %0 = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %1 = canao.matmul %x, %a : (tensor<4x8xf32>, tensor<8x2xf32>) -> tensor<4x2xf32>
  %2 = canao.matmul %1, %c : (tensor<4x2xf32>, tensor<2x6xf32>) -> tensor<4x6xf32>
  %r = canao.add %0, %2 : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
  func.return %r : tensor<4x6xf32>
}

// CHECK-LABEL:   func.func @main(%x: tensor<4x8xf32>, %a: tensor<8x2xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT:      %w = canao.weight "w" : tensor<8x6xf32>
// CHECK-NEXT:      %c = canao.weight "c" : tensor<2x6xf32>
// CHECK-NEXT:      %0 = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      %1 = canao.matmul %x, %a : (tensor<4x8xf32>, tensor<8x2xf32>) -> tensor<4x2xf32>
// CHECK-NEXT:      %2 = canao.matmul %1, %c : (tensor<4x2xf32>, tensor<2x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      %r = canao.add %0, %2 : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      func.return %r : tensor<4x6xf32>
// CHECK-NEXT:    }

// -----

// Rows of a table and of an adapter's table; a residual stays beside.
func.func @main(%n: tensor<4xi64>, %y: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %w = canao.weight "w" : tensor<9x6xf32>
  %a = canao.weight "a" : tensor<9x2xf32>
  %c = canao.weight "c" : tensor<2x6xf32>
  %0 = canao.gather %w at %n : (tensor<9x6xf32>, tensor<4xi64>) -> tensor<4x6xf32>
  %1 = canao.gather %a at %n : (tensor<9x2xf32>, tensor<4xi64>) -> tensor<4x2xf32>
  %2 = canao.matmul %1, %c : (tensor<4x2xf32>, tensor<2x6xf32>) -> tensor<4x6xf32>
  %3 = canao.add %0, %y : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
  %r = canao.sub %3, %2 : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
  func.return %r : tensor<4x6xf32>
}

// CHECK-LABEL:   func.func @main(%n: tensor<4xi64>, %y: tensor<4x6xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT:      %w = canao.weight "w" : tensor<9x6xf32>
// CHECK-NEXT:      %a = canao.weight "a" : tensor<9x2xf32>
// CHECK-NEXT:      %c = canao.weight "c" : tensor<2x6xf32>
// CHECK-NEXT:      %0 = canao.matmul %a, %c : (tensor<9x2xf32>, tensor<2x6xf32>) -> tensor<9x6xf32>
// CHECK-NEXT:      %1 = canao.sub %w, %0 : (tensor<9x6xf32>, tensor<9x6xf32>) -> tensor<9x6xf32>
// CHECK-NEXT:      %2 = canao.gather %1 at %n : (tensor<9x6xf32>, tensor<4xi64>) -> tensor<4x6xf32>
// CHECK-NEXT:      %r = canao.add %2, %y : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      func.return %r : tensor<4x6xf32>
// CHECK-NEXT:    }

// -----

// The product with the weight is needed anyway: one more would be work.
func.func @main(%x: tensor<4x8xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %w = canao.weight "w" : tensor<8x6xf32>
  %a = canao.weight "a" : tensor<8x2xf32>
  %c = canao.weight "c" : tensor<2x6xf32>
  %0 = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %1 = canao.exp %0 : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %2 = canao.matmul %x, %a : (tensor<4x8xf32>, tensor<8x2xf32>) -> tensor<4x2xf32>
  %3 = canao.matmul %2, %c : (tensor<4x2xf32>, tensor<2x6xf32>) -> tensor<4x6xf32>
  %r = canao.add %0, %3 : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
  func.return %1, %r : tensor<4x6xf32>, tensor<4x6xf32>
}

// CHECK-LABEL:   func.func @main(%x: tensor<4x8xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>) {
// CHECK-NEXT:      %w = canao.weight "w" : tensor<8x6xf32>
// CHECK-NEXT:      %a = canao.weight "a" : tensor<8x2xf32>
// CHECK-NEXT:      %c = canao.weight "c" : tensor<2x6xf32>
// CHECK-NEXT:      %0 = canao.concat %w, %a axis 1 : (tensor<8x6xf32>, tensor<8x2xf32>) -> tensor<8x8xf32>
// CHECK-NEXT:      %1 = canao.matmul %x, %0 : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %2 = canao.slice %1 starts [0, 0] steps [1, 1] : (tensor<4x8xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      %3 = canao.exp %2 : (tensor<4x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      %4 = canao.slice %1 starts [0, 6] steps [1, 1] : (tensor<4x8xf32>) -> tensor<4x2xf32>
// CHECK-NEXT:      %5 = canao.matmul %4, %c : (tensor<4x2xf32>, tensor<2x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      %r = canao.add %2, %5 : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      func.return %3, %r : tensor<4x6xf32>, tensor<4x6xf32>
// CHECK-NEXT:    }
