// RUN: canao-opt %s --split-input-file -p "lp-fusion{exact=true}" | filecheck %s

// A product takes the elementwise operations after it into its layer: bias and gelu.
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x6xf32> {
  %w = canao.weight "w" : tensor<8x6xf32>
  %b = canao.weight "b" : tensor<6xf32>
  %y = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %z = canao.add %y, %b : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
  %g = canao.gelu %z approximate "none" : (tensor<4x6xf32>) -> tensor<4x6xf32>
  func.return %g : tensor<4x6xf32>
}

// -----

// Residual and layer_norm join the product that they follow.
func.func @main(%x: tensor<4x8xf32>, %r: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %w = canao.weight "w" : tensor<8x6xf32>
  %s = canao.weight "s" : tensor<6xf32>
  %y = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %z = canao.add %y, %r : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
  %n = canao.layer_norm %z, %s, %s epsilon 1.0e-05 : f64 : (tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
  func.return %n : tensor<4x6xf32>
}

// -----

// A second product reads whole rows of the first: a layer of its own.
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = canao.weight "w" : tensor<8x6xf32>
  %v = canao.weight "v" : tensor<6x8xf32>
  %y = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %z = canao.matmul %y, %v : (tensor<4x6xf32>, tensor<6x8xf32>) -> tensor<4x8xf32>
  func.return %z : tensor<4x8xf32>
}

// -----

// A reduction to a single number has nothing left to run in parallel, so it stays alone.
func.func @main(%x: tensor<4x8xf32>) -> tensor<1x1xf32> {
  %w = canao.weight "w" : tensor<8x4xf32>
  %m = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
  %s = canao.reduce_sum %m axes [0, 1] : (tensor<4x4xf32>) -> tensor<1x1xf32>
  func.return %s : tensor<1x1xf32>
}

// CHECK-LABEL: func.func @main(%x: tensor<4x8xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT:    %w = canao.weight "w" : tensor<8x6xf32>
// CHECK-NEXT:    %b = canao.weight "b" : tensor<6xf32>
// CHECK-NEXT:    %0 = canao.layer(%1 = %x, %2 = %w, %3 = %b) : (tensor<4x8xf32>, tensor<8x6xf32>, tensor<6xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT:      %y = canao.matmul %1, %2 : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      %z = canao.add %y, %3 : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      %g = canao.gelu %z approximate "none" : (tensor<4x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      canao.yield %g : tensor<4x6xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %0 : tensor<4x6xf32>
// CHECK-LABEL: func.func @main(%x: tensor<4x8xf32>, %r: tensor<4x6xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT:    %w = canao.weight "w" : tensor<8x6xf32>
// CHECK-NEXT:    %s = canao.weight "s" : tensor<6xf32>
// CHECK-NEXT:    %0 = canao.layer(%1 = %x, %2 = %w, %3 = %r, %4 = %s) : (tensor<4x8xf32>, tensor<8x6xf32>, tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT:      %y = canao.matmul %1, %2 : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      %z = canao.add %y, %3 : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      %n = canao.layer_norm %z, %4, %4 epsilon 1.000000e-05 : f64 : (tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      canao.yield %n : tensor<4x6xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %0 : tensor<4x6xf32>
// CHECK-LABEL: func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:    %w = canao.weight "w" : tensor<8x6xf32>
// CHECK-NEXT:    %v = canao.weight "v" : tensor<6x8xf32>
// CHECK-NEXT:    %0 = canao.layer(%1 = %x, %2 = %w) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT:      %y = canao.matmul %1, %2 : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      canao.yield %y : tensor<4x6xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %1 = canao.layer(%2 = %0, %3 = %v) : (tensor<4x6xf32>, tensor<6x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:      %z = canao.matmul %2, %3 : (tensor<4x6xf32>, tensor<6x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      canao.yield %z : tensor<4x8xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %1 : tensor<4x8xf32>
// CHECK-LABEL: func.func @main(%x: tensor<4x8xf32>) -> tensor<1x1xf32> {
// CHECK-NEXT:    %w = canao.weight "w" : tensor<8x4xf32>
// CHECK-NEXT:    %0 = canao.layer(%1 = %x, %2 = %w) : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32> {
// CHECK-NEXT:      %m = canao.matmul %1, %2 : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT:      canao.yield %m : tensor<4x4xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %1 = canao.layer(%2 = %0) : (tensor<4x4xf32>) -> tensor<1x1xf32> {
// CHECK-NEXT:      %s = canao.reduce_sum %2 axes [0, 1] : (tensor<4x4xf32>) -> tensor<1x1xf32>
// CHECK-NEXT:      canao.yield %s : tensor<1x1xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %1 : tensor<1x1xf32>
