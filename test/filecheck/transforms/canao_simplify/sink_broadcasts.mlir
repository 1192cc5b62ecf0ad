// RUN: canao-opt %s -p canao-simplify | filecheck %s

// Broadcasts go towards the results.

// A broadcast that the other operand implies goes.
func.func @implied(%x: tensor<4xf32>, %y: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %a = canao.broadcast %x : (tensor<4xf32>) -> tensor<2x4xf32>
  %b = canao.add %a, %y : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %b : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @implied(
// CHECK-NEXT:   %b = canao.add %x, %y : (tensor<4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
// CHECK-NEXT:   func.return %b : tensor<2x4xf32>

// One that none implies comes after.
func.func @after(%x: tensor<4xf32>) -> tensor<2x4xf32> {
  %a = canao.broadcast %x : (tensor<4xf32>) -> tensor<2x4xf32>
  %b = canao.exp %a : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %b : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @after(
// CHECK-NEXT:   %0 = canao.exp %x : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:   %b = canao.broadcast %0 : (tensor<4xf32>) -> tensor<2x4xf32>
// CHECK-NEXT:   func.return %b : tensor<2x4xf32>

// Broadcasts join; one that adds dimensions of 1 is a reshape.
func.func @joined(%x: tensor<4xf32>) -> (tensor<3x2x4xf32>, tensor<1x1x4xf32>) {
  %a = canao.broadcast %x : (tensor<4xf32>) -> tensor<2x4xf32>
  %b = canao.broadcast %a : (tensor<2x4xf32>) -> tensor<3x2x4xf32>
  %c = canao.broadcast %x : (tensor<4xf32>) -> tensor<1x1x4xf32>
  func.return %b, %c : tensor<3x2x4xf32>, tensor<1x1x4xf32>
}

// CHECK-LABEL: func.func @joined(
// CHECK-NEXT:   %b = canao.broadcast %x : (tensor<4xf32>) -> tensor<3x2x4xf32>
// CHECK-NEXT:   %c = canao.reshape %x : (tensor<4xf32>) -> tensor<1x1x4xf32>
// CHECK-NEXT:   func.return %b, %c : tensor<3x2x4xf32>, tensor<1x1x4xf32>

// A product takes leading dimensions as they are, but needs its matrices whole.
func.func @product(%x: tensor<4x5xf32>, %y: tensor<3x5x2xf32>, %z: tensor<1x5xf32>) -> (tensor<3x4x2xf32>, tensor<3x4x2xf32>) {
  %a = canao.broadcast %x : (tensor<4x5xf32>) -> tensor<3x4x5xf32>
  %b = canao.matmul %a, %y : (tensor<3x4x5xf32>, tensor<3x5x2xf32>) -> tensor<3x4x2xf32>
  %c = canao.broadcast %z : (tensor<1x5xf32>) -> tensor<4x5xf32>
  %d = canao.matmul %c, %y : (tensor<4x5xf32>, tensor<3x5x2xf32>) -> tensor<3x4x2xf32>
  func.return %b, %d : tensor<3x4x2xf32>, tensor<3x4x2xf32>
}

// CHECK-LABEL: func.func @product(
// CHECK-NEXT:   %b = canao.matmul %x, %y : (tensor<4x5xf32>, tensor<3x5x2xf32>) -> tensor<3x4x2xf32>
// CHECK-NEXT:   %c = canao.broadcast %z : (tensor<1x5xf32>) -> tensor<4x5xf32>
// CHECK-NEXT:   %d = canao.matmul %c, %y : (tensor<4x5xf32>, tensor<3x5x2xf32>) -> tensor<3x4x2xf32>
// CHECK-NEXT:   func.return %b, %d : tensor<3x4x2xf32>, tensor<3x4x2xf32>

// Below moves of data.
func.func @moves(%x: tensor<4x1x6xf32>) -> (tensor<1x4x5x6xf32>, tensor<5x4x6xf32>, tensor<4x2x3xf32>) {
  %a = canao.broadcast %x : (tensor<4x1x6xf32>) -> tensor<4x5x6xf32>
  %b = canao.reshape %a : (tensor<4x5x6xf32>) -> tensor<1x4x5x6xf32>
  %c = canao.transpose %a [1, 0, 2] : (tensor<4x5x6xf32>) -> tensor<5x4x6xf32>
  %d = canao.slice %a starts [0, 3, 1] steps [1, 1, 2] : (tensor<4x5x6xf32>) -> tensor<4x2x3xf32>
  func.return %b, %c, %d : tensor<1x4x5x6xf32>, tensor<5x4x6xf32>, tensor<4x2x3xf32>
}

// CHECK-LABEL: func.func @moves(
// CHECK-NEXT:   %0 = canao.reshape %x : (tensor<4x1x6xf32>) -> tensor<1x4x1x6xf32>
// CHECK-NEXT:   %b = canao.broadcast %0 : (tensor<1x4x1x6xf32>) -> tensor<1x4x5x6xf32>
// CHECK-NEXT:   %1 = canao.reshape %x : (tensor<4x1x6xf32>) -> tensor<1x4x6xf32>
// CHECK-NEXT:   %c = canao.broadcast %1 : (tensor<1x4x6xf32>) -> tensor<5x4x6xf32>
// CHECK-NEXT:   %2 = canao.slice %x starts [0, 0, 1] steps [1, 1, 2] : (tensor<4x1x6xf32>) -> tensor<4x1x3xf32>
// CHECK-NEXT:   %d = canao.broadcast %2 : (tensor<4x1x3xf32>) -> tensor<4x2x3xf32>
// CHECK-NEXT:   func.return %b, %c, %d : tensor<1x4x5x6xf32>, tensor<5x4x6xf32>, tensor<4x2x3xf32>

// Not below a reshape that mixes dimensions.
func.func @mixed(%x: tensor<4x1xf32>) -> tensor<20xf32> {
  %a = canao.broadcast %x : (tensor<4x1xf32>) -> tensor<4x5xf32>
  %b = canao.reshape %a : (tensor<4x5xf32>) -> tensor<20xf32>
  func.return %b : tensor<20xf32>
}

// CHECK-LABEL: func.func @mixed(
// CHECK-NEXT:   %a = canao.broadcast %x : (tensor<4x1xf32>) -> tensor<4x5xf32>
// CHECK-NEXT:   %b = canao.reshape %a : (tensor<4x5xf32>) -> tensor<20xf32>
// CHECK-NEXT:   func.return %b : tensor<20xf32>

// Below lookups by one index, so that fewer rows are looked up; reshapes sink below them, too.
func.func @lookups(%t: tensor<9x3xf32>, %i: tensor<1x4xi64>, %j: tensor<2x3xi64>) -> (tensor<5x4x3xf32>, tensor<6x3xf32>) {
  %a = canao.broadcast %i : (tensor<1x4xi64>) -> tensor<5x4xi64>
  %b = canao.gather %t at %a : (tensor<9x3xf32>, tensor<5x4xi64>) -> tensor<5x4x3xf32>
  %c = canao.reshape %j : (tensor<2x3xi64>) -> tensor<6xi64>
  %d = canao.gather %t at %c : (tensor<9x3xf32>, tensor<6xi64>) -> tensor<6x3xf32>
  func.return %b, %d : tensor<5x4x3xf32>, tensor<6x3xf32>
}

// CHECK-LABEL: func.func @lookups(
// CHECK-NEXT:   %0 = canao.gather %t at %i : (tensor<9x3xf32>, tensor<1x4xi64>) -> tensor<1x4x3xf32>
// CHECK-NEXT:   %b = canao.broadcast %0 : (tensor<1x4x3xf32>) -> tensor<5x4x3xf32>
// CHECK-NEXT:   %1 = canao.gather %t at %j : (tensor<9x3xf32>, tensor<2x3xi64>) -> tensor<2x3x3xf32>
// CHECK-NEXT:   %d = canao.reshape %1 : (tensor<2x3x3xf32>) -> tensor<6x3xf32>
// CHECK-NEXT:   func.return %b, %d : tensor<5x4x3xf32>, tensor<6x3xf32>
