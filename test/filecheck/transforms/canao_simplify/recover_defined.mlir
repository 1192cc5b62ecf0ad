// RUN: canao-opt %s -p canao-simplify | filecheck %s
// RUN: canao-opt %s -p canao-simplify{exact=true} | filecheck %s

// Softsign is found by its definition, in either order of the sum.
func.func @softsign(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %one = canao.constant dense<1.0> : tensor<f32>
  %a = canao.abs %x : (tensor<4xf32>) -> tensor<4xf32>
  %s = canao.add %a, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %r = canao.div %x, %s : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %b = canao.abs %r : (tensor<4xf32>) -> tensor<4xf32>
  %t = canao.add %one, %b : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %q = canao.div %r, %t : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %r, %q : tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @softsign(
// CHECK-NEXT:   %r = canao.softsign %x : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:   %q = canao.softsign %r : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:   func.return %r, %q : tensor<4xf32>, tensor<4xf32>

// Not of another value, not plus another number, and not where the size is needed besides.
func.func @others(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %one = canao.constant dense<1.0> : tensor<f32>
  %two = canao.constant dense<2.0> : tensor<f32>
  %a = canao.abs %y : (tensor<4xf32>) -> tensor<4xf32>
  %s = canao.add %a, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %r = canao.div %x, %s : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %b = canao.abs %x : (tensor<4xf32>) -> tensor<4xf32>
  %t = canao.add %b, %two : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %q = canao.div %x, %t : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %c = canao.abs %q : (tensor<4xf32>) -> tensor<4xf32>
  %u = canao.add %c, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %p = canao.div %q, %u : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %r, %q, %p, %u : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @others(
// CHECK-NOT: softsign
// CHECK: func.return
