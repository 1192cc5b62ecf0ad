// RUN: canao-opt %s --split-input-file -p lp-fusion | filecheck %s
// RUN: canao-opt %s --split-input-file -p lp-fusion{exact=true} | filecheck %s

// max(x + c, y + c) -> max(x, y) + c, which keeps every rounding.
func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %c = canao.weight "c" : tensor<8xf32>
  %a = canao.add %x, %c : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %b = canao.add %c, %y : (tensor<8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = canao.maximum %a, %b : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @main(
// CHECK:      %[[M:.*]] = canao.maximum %{{.*}}, %{{.*}} : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: canao.add %[[M]], %{{.*}} : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: canao.yield

// -----

// An infinite term stays: with it a sum may be NaN.
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %c = canao.constant dense<0x7F800000> : tensor<f32>
  %a = canao.add %x, %c : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %b = canao.add %y, %c : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %r = canao.maximum %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @main(
// CHECK:      canao.add
// CHECK-NEXT: canao.add
// CHECK-NEXT: canao.maximum
// CHECK-NEXT: canao.yield
