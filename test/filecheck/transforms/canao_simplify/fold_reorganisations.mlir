// RUN: canao-opt %s -p canao-simplify | filecheck %s

// Reshapes, transposes, slices and concatenations join, or go.

// Of a chain of reshapes the last stays, of one that changes nothing none.
func.func @reshapes(%x: tensor<4x6xf32>) -> (tensor<3x8xf32>, tensor<4x6xf32>) {
  %a = canao.reshape %x : (tensor<4x6xf32>) -> tensor<24xf32>
  %b = canao.reshape %a : (tensor<24xf32>) -> tensor<3x8xf32>
  %c = canao.reshape %a : (tensor<24xf32>) -> tensor<4x6xf32>
  func.return %b, %c : tensor<3x8xf32>, tensor<4x6xf32>
}

// CHECK-LABEL: func.func @reshapes(
// CHECK-NEXT:   %b = canao.reshape %x : (tensor<4x6xf32>) -> tensor<3x8xf32>
// CHECK-NEXT:   func.return %b, %x : tensor<3x8xf32>, tensor<4x6xf32>

// Transposes compose; one that moves only dimensions of 1 is a reshape.
func.func @transposes(%x: tensor<2x3x4xf32>, %y: tensor<2x1x4xf32>) -> (tensor<2x3x4xf32>, tensor<4x3x2xf32>, tensor<1x2x4xf32>) {
  %a = canao.transpose %x [1, 0, 2] : (tensor<2x3x4xf32>) -> tensor<3x2x4xf32>
  %b = canao.transpose %a [1, 0, 2] : (tensor<3x2x4xf32>) -> tensor<2x3x4xf32>
  %c = canao.transpose %a [2, 0, 1] : (tensor<3x2x4xf32>) -> tensor<4x3x2xf32>
  %d = canao.transpose %y [1, 0, 2] : (tensor<2x1x4xf32>) -> tensor<1x2x4xf32>
  func.return %b, %c, %d : tensor<2x3x4xf32>, tensor<4x3x2xf32>, tensor<1x2x4xf32>
}

// CHECK-LABEL: func.func @transposes(
// CHECK-NEXT:   %c = canao.transpose %x [2, 1, 0] : (tensor<2x3x4xf32>) -> tensor<4x3x2xf32>
// CHECK-NEXT:   %d = canao.reshape %y : (tensor<2x1x4xf32>) -> tensor<1x2x4xf32>
// CHECK-NEXT:   func.return %x, %c, %d : tensor<2x3x4xf32>, tensor<4x3x2xf32>, tensor<1x2x4xf32>

// Slices compose.
func.func @slices(%x: tensor<32xf32>) -> (tensor<32xf32>, tensor<4xf32>) {
  %a = canao.slice %x starts [0] steps [1] : (tensor<32xf32>) -> tensor<32xf32>
  %b = canao.slice %x starts [3] steps [2] : (tensor<32xf32>) -> tensor<12xf32>
  %c = canao.slice %b starts [1] steps [3] : (tensor<12xf32>) -> tensor<4xf32>
  func.return %a, %c : tensor<32xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @slices(
// CHECK-NEXT:   %c = canao.slice %x starts [5] steps [6] : (tensor<32xf32>) -> tensor<4xf32>
// CHECK-NEXT:   func.return %x, %c : tensor<32xf32>, tensor<4xf32>

// A slice of one operand of a concatenation; one that spans two stays.
func.func @slice_of_concat(%x: tensor<4xf32>, %y: tensor<6xf32>) -> (tensor<5xf32>, tensor<4xf32>) {
  %c = canao.concat %x, %y axis 0 : (tensor<4xf32>, tensor<6xf32>) -> tensor<10xf32>
  %a = canao.slice %c starts [5] steps [1] : (tensor<10xf32>) -> tensor<5xf32>
  %b = canao.slice %c starts [2] steps [1] : (tensor<10xf32>) -> tensor<4xf32>
  func.return %a, %b : tensor<5xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @slice_of_concat(
// CHECK-NEXT:   %c = canao.concat %x, %y axis 0 : (tensor<4xf32>, tensor<6xf32>) -> tensor<10xf32>
// CHECK-NEXT:   %a = canao.slice %y starts [1] steps [1] : (tensor<6xf32>) -> tensor<5xf32>
// CHECK-NEXT:   %b = canao.slice %c starts [2] steps [1] : (tensor<10xf32>) -> tensor<4xf32>
// CHECK-NEXT:   func.return %a, %b : tensor<5xf32>, tensor<4xf32>

// Neighbouring slices are taken at once; others are not.
func.func @concat_of_slices(%x: tensor<2x10xf32>) -> (tensor<2x10xf32>, tensor<2x10xf32>) {
  %a = canao.slice %x starts [0, 0] steps [1, 1] : (tensor<2x10xf32>) -> tensor<2x4xf32>
  %b = canao.slice %x starts [0, 4] steps [1, 1] : (tensor<2x10xf32>) -> tensor<2x6xf32>
  %c = canao.concat %a, %b axis 1 : (tensor<2x4xf32>, tensor<2x6xf32>) -> tensor<2x10xf32>
  %d = canao.concat %b, %a axis 1 : (tensor<2x6xf32>, tensor<2x4xf32>) -> tensor<2x10xf32>
  func.return %c, %d : tensor<2x10xf32>, tensor<2x10xf32>
}

// CHECK-LABEL: func.func @concat_of_slices(
// CHECK-NEXT:   %a = canao.slice %x starts [0, 0] steps [1, 1] : (tensor<2x10xf32>) -> tensor<2x4xf32>
// CHECK-NEXT:   %b = canao.slice %x starts [0, 4] steps [1, 1] : (tensor<2x10xf32>) -> tensor<2x6xf32>
// CHECK-NEXT:   %d = canao.concat %b, %a axis 1 : (tensor<2x6xf32>, tensor<2x4xf32>) -> tensor<2x10xf32>
// CHECK-NEXT:   func.return %x, %d : tensor<2x10xf32>, tensor<2x10xf32>
