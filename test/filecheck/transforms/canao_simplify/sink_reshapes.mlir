// RUN: canao-opt %s -p canao-simplify | filecheck %s

// Reshapes go towards the results, where they cancel.

// Rows are rows, whatever the shape of the rest.
func.func @rows(%x: tensor<2x3x4xf32>) -> tensor<2x3x5xf32> {
  %w = canao.weight "w" : tensor<4x5xf32>
  %b = canao.weight "b" : tensor<5xf32>
  %a = canao.reshape %x : (tensor<2x3x4xf32>) -> tensor<6x4xf32>
  %p = canao.matmul %a, %w : (tensor<6x4xf32>, tensor<4x5xf32>) -> tensor<6x5xf32>
  %s = canao.add %p, %b : (tensor<6x5xf32>, tensor<5xf32>) -> tensor<6x5xf32>
  %r = canao.reshape %s : (tensor<6x5xf32>) -> tensor<2x3x5xf32>
  func.return %r : tensor<2x3x5xf32>
}

// CHECK-LABEL: func.func @rows(
// CHECK-NEXT:   %w = canao.weight "w" : tensor<4x5xf32>
// CHECK-NEXT:   %b = canao.weight "b" : tensor<5xf32>
// CHECK-NEXT:   %0 = canao.matmul %x, %w : (tensor<2x3x4xf32>, tensor<4x5xf32>) -> tensor<2x3x5xf32>
// CHECK-NEXT:   %r = canao.add %0, %b : (tensor<2x3x5xf32>, tensor<5xf32>) -> tensor<2x3x5xf32>
// CHECK-NEXT:   func.return %r : tensor<2x3x5xf32>

// Batches are batches.
func.func @batches(%x: tensor<2x3x4x5xf32>, %y: tensor<2x3x5x4xf32>) -> tensor<2x3x4x4xf32> {
  %a = canao.reshape %x : (tensor<2x3x4x5xf32>) -> tensor<6x4x5xf32>
  %b = canao.reshape %y : (tensor<2x3x5x4xf32>) -> tensor<6x5x4xf32>
  %p = canao.matmul %a, %b : (tensor<6x4x5xf32>, tensor<6x5x4xf32>) -> tensor<6x4x4xf32>
  %r = canao.reshape %p : (tensor<6x4x4xf32>) -> tensor<2x3x4x4xf32>
  func.return %r : tensor<2x3x4x4xf32>
}

// CHECK-LABEL: func.func @batches(
// CHECK-NEXT:   %r = canao.matmul %x, %y : (tensor<2x3x4x5xf32>, tensor<2x3x5x4xf32>) -> tensor<2x3x4x4xf32>
// CHECK-NEXT:   func.return %r : tensor<2x3x4x4xf32>

// Not where the batches were cut in different ways.
func.func @different_batches(%x: tensor<2x3x4x5xf32>, %y: tensor<3x2x5x4xf32>) -> tensor<6x4x4xf32> {
  %a = canao.reshape %x : (tensor<2x3x4x5xf32>) -> tensor<6x4x5xf32>
  %b = canao.reshape %y : (tensor<3x2x5x4xf32>) -> tensor<6x5x4xf32>
  %p = canao.matmul %a, %b : (tensor<6x4x5xf32>, tensor<6x5x4xf32>) -> tensor<6x4x4xf32>
  func.return %p : tensor<6x4x4xf32>
}

// CHECK-LABEL: func.func @different_batches(
// CHECK-NEXT:   %a = canao.reshape %x : (tensor<2x3x4x5xf32>) -> tensor<6x4x5xf32>
// CHECK-NEXT:   %b = canao.reshape %y : (tensor<3x2x5x4xf32>) -> tensor<6x5x4xf32>
// CHECK-NEXT:   %p = canao.matmul %a, %b : (tensor<6x4x5xf32>, tensor<6x5x4xf32>) -> tensor<6x4x4xf32>
// CHECK-NEXT:   func.return %p : tensor<6x4x4xf32>

// Heads become rows in the shape of the rest.
func.func @heads(%x: tensor<2x3x4x5xf32>) -> tensor<2x3x7xf32> {
  %w = canao.weight "w" : tensor<20x7xf32>
  %b = canao.weight "b" : tensor<7xf32>
  %a = canao.reshape %x : (tensor<2x3x4x5xf32>) -> tensor<6x20xf32>
  %p = canao.matmul %a, %w : (tensor<6x20xf32>, tensor<20x7xf32>) -> tensor<6x7xf32>
  %s = canao.add %p, %b : (tensor<6x7xf32>, tensor<7xf32>) -> tensor<6x7xf32>
  %r = canao.reshape %s : (tensor<6x7xf32>) -> tensor<2x3x7xf32>
  func.return %r : tensor<2x3x7xf32>
}

// CHECK-LABEL: func.func @heads(
// CHECK-NEXT:   %w = canao.weight "w" : tensor<20x7xf32>
// CHECK-NEXT:   %b = canao.weight "b" : tensor<7xf32>
// CHECK-NEXT:   %0 = canao.reshape %x : (tensor<2x3x4x5xf32>) -> tensor<2x3x20xf32>
// CHECK-NEXT:   %1 = canao.matmul %0, %w : (tensor<2x3x20xf32>, tensor<20x7xf32>) -> tensor<2x3x7xf32>
// CHECK-NEXT:   %r = canao.add %1, %b : (tensor<2x3x7xf32>, tensor<7xf32>) -> tensor<2x3x7xf32>
// CHECK-NEXT:   func.return %r : tensor<2x3x7xf32>

// Not past an operand that varies along dimensions that change.
func.func @varying(%x: tensor<2x3x4xf32>, %y: tensor<6x1xf32>) -> tensor<6x4xf32> {
  %a = canao.reshape %x : (tensor<2x3x4xf32>) -> tensor<6x4xf32>
  %r = canao.mul %a, %y : (tensor<6x4xf32>, tensor<6x1xf32>) -> tensor<6x4xf32>
  func.return %r : tensor<6x4xf32>
}

// CHECK-LABEL: func.func @varying(
// CHECK-NEXT:   %a = canao.reshape %x : (tensor<2x3x4xf32>) -> tensor<6x4xf32>
// CHECK-NEXT:   %r = canao.mul %a, %y : (tensor<6x4xf32>, tensor<6x1xf32>) -> tensor<6x4xf32>
// CHECK-NEXT:   func.return %r : tensor<6x4xf32>
