// RUN: canao-opt %s --split-input-file -p expand-composites | filecheck %s

// Inside a layer softmax, layer_norm and gelu become what they stand for.
func.func @main(%x: tensor<4x8xf32>, %s: tensor<8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
  %r:3 = canao.layer(%a = %x, %b = %s) : (tensor<4x8xf32>, tensor<8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
    %p = canao.softmax %a axis 1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %n = canao.layer_norm %a, %b, %b epsilon 1.0e-05 : f64 : (tensor<4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
    %g = canao.gelu %a approximate "none" : (tensor<4x8xf32>) -> tensor<4x8xf32>
    canao.yield %p, %n, %g : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  }
  func.return %r#0, %r#1, %r#2 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// Outside layers they stay as they are.
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %p = canao.softmax %x axis 1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %p : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @main(%x: tensor<4x8xf32>, %s: tensor<8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
// CHECK-NEXT:    %r, %r_1, %r_2 = canao.layer(%a = %x, %b = %s) : (tensor<4x8xf32>, tensor<8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
// CHECK-NEXT:      %0 = canao.reduce_max %a axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT:      %1 = canao.sub %a, %0 : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %2 = canao.exp %1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %3 = canao.reduce_sum %2 axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT:      %p = canao.div %2, %3 : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %4 = canao.constant dense<1.250000e-01> : tensor<f32>
// CHECK-NEXT:      %5 = canao.constant dense<1.000000e-05> : tensor<f32>
// CHECK-NEXT:      %6 = canao.reduce_sum %a axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT:      %7 = canao.mul %6, %4 : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
// CHECK-NEXT:      %8 = canao.sub %a, %7 : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %9 = canao.mul %8, %8 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %10 = canao.reduce_sum %9 axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT:      %11 = canao.mul %10, %4 : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
// CHECK-NEXT:      %12 = canao.add %11, %5 : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
// CHECK-NEXT:      %13 = canao.sqrt %12 : (tensor<4x1xf32>) -> tensor<4x1xf32>
// CHECK-NEXT:      %14 = canao.div %13, %12 : (tensor<4x1xf32>, tensor<4x1xf32>) -> tensor<4x1xf32>
// CHECK-NEXT:      %15 = canao.mul %8, %14 : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %16 = canao.mul %15, %b : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %n = canao.add %16, %b : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %17 = canao.constant dense<5.000000e-01> : tensor<f32>
// CHECK-NEXT:      %18 = canao.constant dense<1.000000e+00> : tensor<f32>
// CHECK-NEXT:      %19 = canao.constant dense<0.707106769> : tensor<f32>
// CHECK-NEXT:      %20 = canao.mul %a, %19 : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %21 = canao.erf %20 : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %22 = canao.add %21, %18 : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %23 = canao.mul %a, %17 : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %g = canao.mul %23, %22 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      canao.yield %p, %n, %g : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %r, %r_1, %r_2 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
// CHECK-LABEL: func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:    %p = canao.softmax %x axis 1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:    func.return %p : tensor<4x8xf32>

// -----

// A defined operation, too.
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = canao.layer(%a = %x) : (tensor<4xf32>) -> tensor<4xf32> {
    %s = canao.softsign %a : (tensor<4xf32>) -> tensor<4xf32>
    canao.yield %s : tensor<4xf32>
  }
  func.return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
// CHECK-NEXT:    %r = canao.layer(%a = %x) : (tensor<4xf32>) -> tensor<4xf32> {
// CHECK-NEXT:      %0 = canao.abs %a : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:      %1 = canao.constant dense<1.000000e+00> : tensor<f32>
// CHECK-NEXT:      %2 = canao.add %0, %1 : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:      %s = canao.div %a, %2 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:      canao.yield %s : tensor<4xf32>
