// RUN: canao-opt %s -p "lp-fusion{exact=true},outline-weights" | filecheck %s

// What depends on weights and constants only moves to @prepare, by whatever chain;
// layers refer to its results, each once. A small splat stays in its layer.
func.func @main(%x: tensor<4x8xf32>) -> (tensor<4x6xf32>, tensor<6xf32>) {
  %q = canao.weight "q" : tensor<3x8xf32>
  %k = canao.weight "k" : tensor<3x8xf32>
  %j = canao.concat %q, %k axis 0 : (tensor<3x8xf32>, tensor<3x8xf32>) -> tensor<6x8xf32>
  %t = canao.transpose %j [1, 0] : (tensor<6x8xf32>) -> tensor<8x6xf32>
  %b = canao.weight "b" : tensor<6xf32>
  %half = canao.constant dense<0.5> : tensor<f32>
  %h = canao.mul %b, %half : (tensor<6xf32>, tensor<f32>) -> tensor<6xf32>
  %y = canao.matmul %x, %t : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %z = canao.add %y, %h : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
  %m = canao.mul %z, %half : (tensor<4x6xf32>, tensor<f32>) -> tensor<4x6xf32>
  %n = canao.layer_norm %m, %h, %b epsilon 1.0e-05 : f64 : (tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
  func.return %n, %h : tensor<4x6xf32>, tensor<6xf32>
}

// CHECK-LABEL: func.func @prepare() -> (tensor<8x6xf32>, tensor<6xf32>, tensor<6xf32>) attributes {canao.names = ["prepared.0", "prepared.1", "prepared.2"]} {
// CHECK-NEXT:    %q = canao.weight "q" : tensor<3x8xf32>
// CHECK-NEXT:    %k = canao.weight "k" : tensor<3x8xf32>
// CHECK-NEXT:    %j = canao.concat %q, %k axis 0 : (tensor<3x8xf32>, tensor<3x8xf32>) -> tensor<6x8xf32>
// CHECK-NEXT:    %t = canao.transpose %j [1, 0] : (tensor<6x8xf32>) -> tensor<8x6xf32>
// CHECK-NEXT:    %b = canao.weight "b" : tensor<6xf32>
// CHECK-NEXT:    %half = canao.constant dense<5.000000e-01> : tensor<f32>
// CHECK-NEXT:    %h = canao.mul %b, %half : (tensor<6xf32>, tensor<f32>) -> tensor<6xf32>
// CHECK-NEXT:    func.return %t, %h, %b : tensor<8x6xf32>, tensor<6xf32>, tensor<6xf32>
// CHECK-LABEL: func.func @main(%x: tensor<4x8xf32>) -> (tensor<4x6xf32>, tensor<6xf32>) {
// CHECK-NEXT:    %t = canao.weight "prepared.0" : tensor<8x6xf32>
// CHECK-NEXT:    %h = canao.weight "prepared.1" : tensor<6xf32>
// CHECK-NEXT:    %b = canao.weight "prepared.2" : tensor<6xf32>
// CHECK-NEXT:    %0 = canao.layer(%1 = %x, %2 = %t, %3 = %h, %4 = %b) : (tensor<4x8xf32>, tensor<8x6xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT:      %y = canao.matmul %1, %2 : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      %z = canao.add %y, %3 : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      %half = canao.constant dense<5.000000e-01> : tensor<f32>
// CHECK-NEXT:      %m = canao.mul %z, %half : (tensor<4x6xf32>, tensor<f32>) -> tensor<4x6xf32>
// CHECK-NEXT:      %n = canao.layer_norm %m, %3, %4 epsilon 1.000000e-05 : f64 : (tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      canao.yield %n : tensor<4x6xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %1 = canao.layer(%2 = %h) : (tensor<6xf32>) -> tensor<6xf32> {
// CHECK-NEXT:      %3 = canao.reshape %2 : (tensor<6xf32>) -> tensor<6xf32>
// CHECK-NEXT:      canao.yield %3 : tensor<6xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %0, %1 : tensor<4x6xf32>, tensor<6xf32>
