// RUN: canao-opt %s -p canao-simplify | filecheck %s

// Tensors without elements are constants, and folds over nothing are neutral elements.

func.func @nothing(%x: tensor<0x4xf32>, %y: tensor<4x2xf32>) -> (tensor<0x2xf32>, tensor<0xi64>) {
  %m = canao.matmul %x, %y : (tensor<0x4xf32>, tensor<4x2xf32>) -> tensor<0x2xf32>
  %e = canao.exp %m : (tensor<0x2xf32>) -> tensor<0x2xf32>
  %i = canao.cast %x : (tensor<0x4xf32>) -> tensor<0x4xi64>
  %s = canao.slice %i starts [0, 0] steps [1, 1] : (tensor<0x4xi64>) -> tensor<0x1xi64>
  %r = canao.reshape %s : (tensor<0x1xi64>) -> tensor<0xi64>
  func.return %e, %r : tensor<0x2xf32>, tensor<0xi64>
}

// CHECK-LABEL: func.func @nothing(
// CHECK-NEXT:   %e = canao.constant dense<> : tensor<0x2xf32>
// CHECK-NEXT:   %r = canao.constant dense<> : tensor<0xi64>
// CHECK-NEXT:   func.return %e, %r : tensor<0x2xf32>, tensor<0xi64>

func.func @folds(%x: tensor<0x4xf32>, %y: tensor<4x0xf32>, %i: tensor<0x2xi64>) -> (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x2xi64>, tensor<4x4xf32>) {
  %s = canao.reduce_sum %x axes [0] : (tensor<0x4xf32>) -> tensor<1x4xf32>
  %m = canao.reduce_max %x axes [0] : (tensor<0x4xf32>) -> tensor<1x4xf32>
  %n = canao.reduce_min %i axes [0] : (tensor<0x2xi64>) -> tensor<1x2xi64>
  %p = canao.matmul %y, %x : (tensor<4x0xf32>, tensor<0x4xf32>) -> tensor<4x4xf32>
  func.return %s, %m, %n, %p : tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x2xi64>, tensor<4x4xf32>
}

// CHECK-LABEL: func.func @folds(
// CHECK-NEXT:   %s = canao.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT:   %s_1 = canao.broadcast %s : (tensor<f32>) -> tensor<1x4xf32>
// CHECK-NEXT:   %m = canao.constant dense<"0x000080FF"> : tensor<f32>
// CHECK-NEXT:   %m_1 = canao.broadcast %m : (tensor<f32>) -> tensor<1x4xf32>
// CHECK-NEXT:   %n = canao.constant dense<9223372036854775807> : tensor<i64>
// CHECK-NEXT:   %n_1 = canao.broadcast %n : (tensor<i64>) -> tensor<1x2xi64>
// CHECK-NEXT:   %p = canao.broadcast %s : (tensor<f32>) -> tensor<4x4xf32>
// CHECK-NEXT:   func.return %s_1, %m_1, %n_1, %p : tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x2xi64>, tensor<4x4xf32>

func.func @parts(%x: tensor<0x4xf32>, %y: tensor<2x4xf32>, %z: tensor<1x4xf32>) -> (tensor<3x4xf32>, tensor<2x4xf32>) {
  %a = canao.concat %y, %x, %z axis 0 : (tensor<2x4xf32>, tensor<0x4xf32>, tensor<1x4xf32>) -> tensor<3x4xf32>
  %b = canao.concat %x, %y axis 0 : (tensor<0x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return %a, %b : tensor<3x4xf32>, tensor<2x4xf32>
}

// CHECK-LABEL: func.func @parts(
// CHECK-NEXT:   %a = canao.concat %y, %z axis 0 : (tensor<2x4xf32>, tensor<1x4xf32>) -> tensor<3x4xf32>
// CHECK-NEXT:   func.return %a, %y : tensor<3x4xf32>, tensor<2x4xf32>
