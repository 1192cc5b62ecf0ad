// RUN: canao-opt %s -p canao-simplify | filecheck %s

// Gathers at constant, regular indices need no look-up.

// A range of rows is a slice.
func.func @rows(%t: tensor<512x8xf32>) -> tensor<1x4x8xf32> {
  %i = canao.constant dense<[[2, 3, 4, 5]]> : tensor<1x4xi64>
  %r = canao.gather %t at %i : (tensor<512x8xf32>, tensor<1x4xi64>) -> tensor<1x4x8xf32>
  func.return %r : tensor<1x4x8xf32>
}

// CHECK-LABEL: func.func @rows(
// CHECK-NEXT:   %0 = canao.slice %t starts [2, 0] steps [1, 1] : (tensor<512x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %r = canao.reshape %0 : (tensor<4x8xf32>) -> tensor<1x4x8xf32>
// CHECK-NEXT:   func.return %r : tensor<1x4x8xf32>

// One row for all is a slice, broadcast.
func.func @one_row(%t: tensor<5x8xf32>) -> tensor<2x3x8xf32> {
  %i = canao.constant dense<4> : tensor<2x3xi64>
  %r = canao.gather %t at %i : (tensor<5x8xf32>, tensor<2x3xi64>) -> tensor<2x3x8xf32>
  func.return %r : tensor<2x3x8xf32>
}

// CHECK-LABEL: func.func @one_row(
// CHECK-NEXT:   %0 = canao.slice %t starts [4, 0] steps [1, 1] : (tensor<5x8xf32>) -> tensor<1x8xf32>
// CHECK-NEXT:   %1 = canao.reshape %0 : (tensor<1x8xf32>) -> tensor<1x1x8xf32>
// CHECK-NEXT:   %r = canao.broadcast %1 : (tensor<1x1x8xf32>) -> tensor<2x3x8xf32>
// CHECK-NEXT:   func.return %r : tensor<2x3x8xf32>

// The mask of a batch, taken at all its places, is the mask in another shape.
func.func @mask(%m: tensor<2x3xi1>) -> tensor<2x1x1x3xi1> {
  %b = canao.constant dense<[[[[0]]], [[[1]]]]> : tensor<2x1x1x1xi64>
  %k = canao.constant dense<[[[[0, 1, 2]]]]> : tensor<1x1x1x3xi64>
  %r = canao.gather %m at %b, %k : (tensor<2x3xi1>, tensor<2x1x1x1xi64>, tensor<1x1x1x3xi64>) -> tensor<2x1x1x3xi1>
  func.return %r : tensor<2x1x1x3xi1>
}

// CHECK-LABEL: func.func @mask(
// CHECK-NEXT:   %r = canao.reshape %m : (tensor<2x3xi1>) -> tensor<2x1x1x3xi1>
// CHECK-NEXT:   func.return %r : tensor<2x1x1x3xi1>

// Indices that vary along swapped axes transpose.
func.func @swapped(%m: tensor<2x3xi1>) -> tensor<3x2xi1> {
  %b = canao.constant dense<[0, 1]> : tensor<2xi64>
  %k = canao.constant dense<[[0], [1], [2]]> : tensor<3x1xi64>
  %r = canao.gather %m at %b, %k : (tensor<2x3xi1>, tensor<2xi64>, tensor<3x1xi64>) -> tensor<3x2xi1>
  func.return %r : tensor<3x2xi1>
}

// CHECK-LABEL: func.func @swapped(
// CHECK-NEXT:   %r = canao.transpose %m [1, 0] : (tensor<2x3xi1>) -> tensor<3x2xi1>
// CHECK-NEXT:   func.return %r : tensor<3x2xi1>

// Along one axis they pick the diagonal, in no order they permute, and inputs are unknown: all stay.
func.func @irregular(%m: tensor<3x3xf32>, %n: tensor<2xi64>) -> (tensor<3xf32>, tensor<3x3xf32>, tensor<2x3xf32>) {
  %i = canao.constant dense<[0, 1, 2]> : tensor<3xi64>
  %p = canao.constant dense<[0, 2, 1]> : tensor<3xi64>
  %a = canao.gather %m at %i, %i : (tensor<3x3xf32>, tensor<3xi64>, tensor<3xi64>) -> tensor<3xf32>
  %b = canao.gather %m at %p : (tensor<3x3xf32>, tensor<3xi64>) -> tensor<3x3xf32>
  %c = canao.gather %m at %n : (tensor<3x3xf32>, tensor<2xi64>) -> tensor<2x3xf32>
  func.return %a, %b, %c : tensor<3xf32>, tensor<3x3xf32>, tensor<2x3xf32>
}

// CHECK-LABEL: func.func @irregular(
// CHECK-NEXT:   %i = canao.constant dense<[0, 1, 2]> : tensor<3xi64>
// CHECK-NEXT:   %p = canao.constant dense<[0, 2, 1]> : tensor<3xi64>
// CHECK-NEXT:   %a = canao.gather %m at %i, %i : (tensor<3x3xf32>, tensor<3xi64>, tensor<3xi64>) -> tensor<3xf32>
// CHECK-NEXT:   %b = canao.gather %m at %p : (tensor<3x3xf32>, tensor<3xi64>) -> tensor<3x3xf32>
// CHECK-NEXT:   %c = canao.gather %m at %n : (tensor<3x3xf32>, tensor<2xi64>) -> tensor<2x3xf32>
// CHECK-NEXT:   func.return %a, %b, %c : tensor<3xf32>, tensor<3x3xf32>, tensor<2x3xf32>

// No index counts from the end: one below 0 is left to fail when it runs.
func.func @below(%t: tensor<5x8xf32>) -> tensor<2x8xf32> {
  %i = canao.constant dense<-1> : tensor<2xi64>
  %r = canao.gather %t at %i : (tensor<5x8xf32>, tensor<2xi64>) -> tensor<2x8xf32>
  func.return %r : tensor<2x8xf32>
}

// CHECK-LABEL: func.func @below(
// CHECK-NEXT:   %i = canao.constant dense<-1> : tensor<i64>
// CHECK-NEXT:   %i_1 = canao.broadcast %i : (tensor<i64>) -> tensor<2xi64>
// CHECK-NEXT:   %r = canao.gather %t at %i_1 : (tensor<5x8xf32>, tensor<2xi64>) -> tensor<2x8xf32>
// CHECK-NEXT:   func.return %r : tensor<2x8xf32>
