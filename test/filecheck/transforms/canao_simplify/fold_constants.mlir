// RUN: canao-opt %s -p canao-simplify | filecheck %s

// Operations on constants are computed; large results are not.

// What is known is computed.
func.func @known() -> tensor<2xf32> {
  %a = canao.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %b = canao.constant dense<3.0> : tensor<f32>
  %r = canao.mul %a, %b : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  func.return %r : tensor<2xf32>
}

// CHECK-LABEL: func.func @known(
// CHECK-NEXT:   %r = canao.constant dense<[3.000000e+00, 6.000000e+00]> : tensor<2xf32>
// CHECK-NEXT:   func.return %r : tensor<2xf32>

// A constant of one number is kept as that number.
func.func @splat(%x: tensor<64x128xf32>) -> tensor<64x128xf32> {
  %a = canao.constant dense<2.0> : tensor<64x128xf32>
  %r = canao.mul %x, %a : (tensor<64x128xf32>, tensor<64x128xf32>) -> tensor<64x128xf32>
  func.return %r : tensor<64x128xf32>
}

// CHECK-LABEL: func.func @splat(
// CHECK-NEXT:   %a = canao.constant dense<2.000000e+00> : tensor<f32>
// CHECK-NEXT:   %r = canao.mul %x, %a : (tensor<64x128xf32>, tensor<f32>) -> tensor<64x128xf32>
// CHECK-NEXT:   func.return %r : tensor<64x128xf32>

// A result of more than 4096 elements stays computed.
func.func @large() -> tensor<4097x2xf32> {
  %a = canao.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
  %b = canao.weight "b" : tensor<4097x1xf32>
  %r = canao.mul %a, %b : (tensor<1x2xf32>, tensor<4097x1xf32>) -> tensor<4097x2xf32>
  func.return %r : tensor<4097x2xf32>
}

// CHECK-LABEL: func.func @large(
// CHECK-NEXT:   %a = canao.constant dense<[[1.000000e+00, 2.000000e+00]]> : tensor<1x2xf32>
// CHECK-NEXT:   %b = canao.weight "b" : tensor<4097x1xf32>
// CHECK-NEXT:   %r = canao.mul %a, %b : (tensor<1x2xf32>, tensor<4097x1xf32>) -> tensor<4097x2xf32>
// CHECK-NEXT:   func.return %r : tensor<4097x2xf32>

// An index out of range, above or below, is left to fail when it runs.
func.func @out_of_range() -> (tensor<1xf32>, tensor<1xf32>) {
  %t = canao.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %i = canao.constant dense<7> : tensor<1xi64>
  %n = canao.constant dense<-1> : tensor<1xi64>
  %r = canao.gather %t at %i : (tensor<2xf32>, tensor<1xi64>) -> tensor<1xf32>
  %s = canao.gather %t at %n : (tensor<2xf32>, tensor<1xi64>) -> tensor<1xf32>
  func.return %r, %s : tensor<1xf32>, tensor<1xf32>
}

// CHECK-LABEL: func.func @out_of_range(
// CHECK-NEXT:   %t = canao.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
// CHECK-NEXT:   %i = canao.constant dense<7> : tensor<i64>
// CHECK-NEXT:   %i_1 = canao.broadcast %i : (tensor<i64>) -> tensor<1xi64>
// CHECK-NEXT:   %n = canao.constant dense<-1> : tensor<i64>
// CHECK-NEXT:   %n_1 = canao.broadcast %n : (tensor<i64>) -> tensor<1xi64>
// CHECK-NEXT:   %r = canao.gather %t at %i_1 : (tensor<2xf32>, tensor<1xi64>) -> tensor<1xf32>
// CHECK-NEXT:   %s = canao.gather %t at %n_1 : (tensor<2xf32>, tensor<1xi64>) -> tensor<1xf32>
// CHECK-NEXT:   func.return %r, %s : tensor<1xf32>, tensor<1xf32>
