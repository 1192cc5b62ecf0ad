// RUN: canao-opt %s -p lp-fusion{fuse=false} | filecheck %s

// One layer an operation, with the weights and constants that it reads.
func.func @main(%x: tensor<4x8xf32>) -> tensor<6x4xf32> {
  %w = canao.weight "w" : tensor<8x6xf32>
  %two = canao.constant dense<2.0> : tensor<f32>
  %y = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %z = canao.mul %y, %two : (tensor<4x6xf32>, tensor<f32>) -> tensor<4x6xf32>
  %t = canao.transpose %z [1, 0] : (tensor<4x6xf32>) -> tensor<6x4xf32>
  func.return %t : tensor<6x4xf32>
}

// CHECK-LABEL: func.func @main(%x: tensor<4x8xf32>) -> tensor<6x4xf32> {
// CHECK-NEXT:    %w = canao.weight "w" : tensor<8x6xf32>
// CHECK-NEXT:    %two = canao.constant dense<2.000000e+00> : tensor<f32>
// CHECK-NEXT:    %0 = canao.layer(%1 = %x, %2 = %w) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT:      %y = canao.matmul %1, %2 : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      canao.yield %y : tensor<4x6xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %1 = canao.layer(%2 = %0) : (tensor<4x6xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT:      %two_1 = canao.constant dense<2.000000e+00> : tensor<f32>
// CHECK-NEXT:      %z = canao.mul %2, %two_1 : (tensor<4x6xf32>, tensor<f32>) -> tensor<4x6xf32>
// CHECK-NEXT:      canao.yield %z : tensor<4x6xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %2 = canao.layer(%3 = %1) : (tensor<4x6xf32>) -> tensor<6x4xf32> {
// CHECK-NEXT:      %t = canao.transpose %3 [1, 0] : (tensor<4x6xf32>) -> tensor<6x4xf32>
// CHECK-NEXT:      canao.yield %t : tensor<6x4xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %2 : tensor<6x4xf32>
