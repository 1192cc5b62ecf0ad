// RUN: canao-opt %s -p canao-simplify | filecheck %s

// GELU is found by its arithmetic.

// By erf, divided by the root of 2.
func.func @by_erf(%x: tensor<4xf32>) -> tensor<4xf32> {
  %half = canao.constant dense<0.5> : tensor<f32>
  %one = canao.constant dense<1.0> : tensor<f32>
  %root = canao.constant dense<1.4142135> : tensor<f32>
  %u = canao.div %x, %root : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %e = canao.erf %u : (tensor<4xf32>) -> tensor<4xf32>
  %s = canao.add %e, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %h = canao.mul %x, %half : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %r = canao.mul %h, %s : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @by_erf(
// CHECK-NEXT:   %r = canao.gelu %x approximate "none" : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:   func.return %r : tensor<4xf32>

// In another order, and without the half: twice the GELU.
func.func @twice(%x: tensor<4xf32>) -> tensor<4xf32> {
  %one = canao.constant dense<1.0> : tensor<f32>
  %root = canao.constant dense<0.70710678> : tensor<f32>
  %u = canao.mul %root, %x : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %e = canao.erf %u : (tensor<4xf32>) -> tensor<4xf32>
  %s = canao.add %one, %e : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %r = canao.mul %s, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @twice(
// CHECK-NEXT:   %0 = canao.gelu %x approximate "none" : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:   %1 = canao.constant dense<2.000000e+00> : tensor<f32>
// CHECK-NEXT:   %r = canao.mul %0, %1 : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:   func.return %r : tensor<4xf32>

// By tanh, with a power.
func.func @by_tanh(%x: tensor<4xf32>) -> tensor<4xf32> {
  %half = canao.constant dense<0.5> : tensor<f32>
  %one = canao.constant dense<1.0> : tensor<f32>
  %c = canao.constant dense<0.7978845608> : tensor<f32>
  %b = canao.constant dense<0.044715> : tensor<f32>
  %three = canao.constant dense<3.0> : tensor<f32>
  %p = canao.pow %x, %three : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %q = canao.mul %p, %b : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %i = canao.add %x, %q : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %u = canao.mul %i, %c : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %t = canao.tanh %u : (tensor<4xf32>) -> tensor<4xf32>
  %s = canao.add %t, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %h = canao.mul %x, %half : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %r = canao.mul %h, %s : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @by_tanh(
// CHECK-NEXT:   %r = canao.gelu %x approximate "tanh" : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:   func.return %r : tensor<4xf32>

// By tanh, with x taken out.
func.func @by_tanh_fast(%x: tensor<4xf32>) -> tensor<4xf32> {
  %half = canao.constant dense<0.5> : tensor<f32>
  %one = canao.constant dense<1.0> : tensor<f32>
  %c = canao.constant dense<0.7978845608> : tensor<f32>
  %b = canao.constant dense<0.044715> : tensor<f32>
  %l = canao.mul %x, %c : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %y = canao.mul %x, %b : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %z = canao.mul %y, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %w = canao.add %z, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %u = canao.mul %l, %w : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %t = canao.tanh %u : (tensor<4xf32>) -> tensor<4xf32>
  %s = canao.add %one, %t : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %h = canao.mul %half, %x : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %r = canao.mul %s, %h : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @by_tanh_fast(
// CHECK-NEXT:   %r = canao.gelu %x approximate "tanh" : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:   func.return %r : tensor<4xf32>

// With other numbers it is another function.
func.func @other(%x: tensor<4xf32>) -> tensor<4xf32> {
  %half = canao.constant dense<0.5> : tensor<f32>
  %one = canao.constant dense<1.0> : tensor<f32>
  %root = canao.constant dense<1.5> : tensor<f32>
  %u = canao.div %x, %root : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %e = canao.erf %u : (tensor<4xf32>) -> tensor<4xf32>
  %s = canao.add %e, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %h = canao.mul %x, %half : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %r = canao.mul %h, %s : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @other(
// CHECK-NEXT:   %half = canao.constant dense<5.000000e-01> : tensor<f32>
// CHECK-NEXT:   %one = canao.constant dense<1.000000e+00> : tensor<f32>
// CHECK-NEXT:   %0 = canao.constant dense<0.666666687> : tensor<f32>
// CHECK-NEXT:   %u = canao.mul %x, %0 : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:   %e = canao.erf %u : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:   %s = canao.add %e, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:   %h = canao.mul %x, %half : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:   %r = canao.mul %h, %s : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:   func.return %r : tensor<4xf32>
