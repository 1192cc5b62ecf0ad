// RUN: canao-opt %s -p widen-integers --split-input-file | filecheck %s

// A sum that is halved wraps first; moves and the choice of one of two numbers need no wrap.
func.func @halves(%a: tensor<4xui8>, %b: tensor<4xui8>) -> tensor<4xui8> {
  %two = canao.constant dense<2> : tensor<ui8>
  %s = canao.add %a, %b : (tensor<4xui8>, tensor<4xui8>) -> tensor<4xui8>
  %h = canao.div %s, %two : (tensor<4xui8>, tensor<ui8>) -> tensor<4xui8>
  func.return %h : tensor<4xui8>
}

// CHECK-LABEL: func.func @halves(%a: tensor<4xi64>, %b: tensor<4xi64>) -> tensor<4xi64> {
// CHECK-NEXT:    %two = canao.constant dense<2> : tensor<i64>
// CHECK-NEXT:    %s = canao.add %a, %b : (tensor<4xi64>, tensor<4xi64>) -> tensor<4xi64>
// CHECK-NEXT:    %0 = canao.wrap %s to ui8 : (tensor<4xi64>) -> tensor<4xi64>
// CHECK-NEXT:    %h = canao.div %0, %two : (tensor<4xi64>, tensor<i64>) -> tensor<4xi64>
// CHECK-NEXT:    %1 = canao.wrap %h to ui8 : (tensor<4xi64>) -> tensor<4xi64>
// CHECK-NEXT:    func.return %1 : tensor<4xi64>

// -----

// Low bits of sums and products depend on low bits alone: the chain wraps once, at its end.
func.func @chain(%a: tensor<4xi32>, %b: tensor<4xi32>) -> tensor<4xi32> {
  %p = canao.mul %a, %b : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  %s = canao.add %p, %b : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  %n = canao.neg %s : (tensor<4xi32>) -> tensor<4xi32>
  func.return %n : tensor<4xi32>
}

// CHECK-LABEL: func.func @chain
// CHECK-NEXT:    canao.mul
// CHECK-NEXT:    canao.add
// CHECK-NEXT:    %n = canao.neg
// CHECK-NEXT:    %0 = canao.wrap %n to i32 : (tensor<4xi64>) -> tensor<4xi64>
// CHECK-NEXT:    func.return %0

// -----

// Nothing here leaves the range.
func.func @stays(%a: tensor<4xi8>, %b: tensor<4xi8>, %m: tensor<4xi1>) -> tensor<4xi32> {
  %0 = canao.maximum %a, %b : (tensor<4xi8>, tensor<4xi8>) -> tensor<4xi8>
  %1 = canao.select %m, %0, %b : (tensor<4xi1>, tensor<4xi8>, tensor<4xi8>) -> tensor<4xi8>
  %2 = canao.and %1, %b : (tensor<4xi8>, tensor<4xi8>) -> tensor<4xi8>
  %3 = canao.reshape %2 : (tensor<4xi8>) -> tensor<2x2xi8>
  %4 = canao.reshape %3 : (tensor<2x2xi8>) -> tensor<4xi8>
  %5 = canao.cast %4 : (tensor<4xi8>) -> tensor<4xi32>
  func.return %5 : tensor<4xi32>
}

// CHECK-LABEL: func.func @stays
// CHECK-NOT:     canao.wrap
// CHECK-NOT:     canao.cast
// CHECK:         func.return %{{.*}} : tensor<4xi64>

// -----

// Casts wrap to what is no wider, and read the exact number where the target is wider.
func.func @casts(%a: tensor<4xi32>, %x: tensor<4xf32>) -> (tensor<4xi8>, tensor<4xi64>, tensor<4xui8>) {
  %0 = canao.add %a, %a : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  %1 = canao.cast %0 : (tensor<4xi32>) -> tensor<4xi8>
  %2 = canao.cast %0 : (tensor<4xi32>) -> tensor<4xi64>
  %3 = canao.cast %x : (tensor<4xf32>) -> tensor<4xui8>
  func.return %1, %2, %3 : tensor<4xi8>, tensor<4xi64>, tensor<4xui8>
}

// CHECK-LABEL: func.func @casts
// CHECK-NEXT:    [[SUM:%.+]] = canao.add
// CHECK-NEXT:    [[EXACT:%.+]] = canao.wrap [[SUM]] to i32
// CHECK-NEXT:    [[WHOLE:%.+]] = canao.cast %x : (tensor<4xf32>) -> tensor<4xi64>
// CHECK-NEXT:    [[BYTE:%.+]] = canao.wrap [[SUM]] to i8
// CHECK-NEXT:    [[UNSIGNED:%.+]] = canao.wrap [[WHOLE]] to ui8
// CHECK-NEXT:    func.return [[BYTE]], [[EXACT]], [[UNSIGNED]]
