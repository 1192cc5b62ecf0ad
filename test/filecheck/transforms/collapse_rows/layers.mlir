// RUN: canao-opt %s -p collapse-rows --split-input-file | filecheck %s

// Rows of a batch become the rows of one matrix; the reshapes are index transforms.
func.func @main(%x: tensor<3x5x8xf32>, %w: tensor<8x6xf32>, %b: tensor<6xf32>) -> tensor<3x5x6xf32> {
  %r = canao.layer(%0 = %x, %1 = %w, %2 = %b) : (tensor<3x5x8xf32>, tensor<8x6xf32>, tensor<6xf32>) -> tensor<3x5x6xf32> {
    %3 = canao.matmul %0, %1 : (tensor<3x5x8xf32>, tensor<8x6xf32>) -> tensor<3x5x6xf32>
    %4 = canao.add %3, %2 : (tensor<3x5x6xf32>, tensor<6xf32>) -> tensor<3x5x6xf32>
    %5 = canao.reduce_sum %4 axes [2] : (tensor<3x5x6xf32>) -> tensor<3x5x1xf32>
    %6 = canao.sub %4, %5 : (tensor<3x5x6xf32>, tensor<3x5x1xf32>) -> tensor<3x5x6xf32>
    canao.yield %6 : tensor<3x5x6xf32>
  }
  func.return %r : tensor<3x5x6xf32>
}
// CHECK:       canao.layer(%0 = %x, %1 = %w, %2 = %b)
// CHECK-NEXT:    %{{.*}} = canao.reshape %0 : (tensor<3x5x8xf32>) -> tensor<15x8xf32>
// CHECK-NEXT:    %{{.*}} = canao.matmul {{.*}} -> tensor<15x6xf32>
// CHECK-NEXT:    %{{.*}} = canao.add {{.*}} -> tensor<15x6xf32>
// CHECK-NEXT:    %{{.*}} = canao.reduce_sum %{{.*}} axes [1] : (tensor<15x6xf32>) -> tensor<15x1xf32>
// CHECK-NEXT:    %{{.*}} = canao.sub {{.*}} -> tensor<15x6xf32>
// CHECK-NEXT:    %{{.*}} = canao.reshape %{{.*}} : (tensor<15x6xf32>) -> tensor<3x5x6xf32>
// CHECK-NEXT:    canao.yield

// -----

// An operand that differs between the items of a batch but not between their rows stays.
func.func @main(%x: tensor<3x5x8xf32>, %w: tensor<8x6xf32>, %b: tensor<3x1x6xf32>) -> tensor<3x5x6xf32> {
  %r = canao.layer(%0 = %x, %1 = %w, %2 = %b) : (tensor<3x5x8xf32>, tensor<8x6xf32>, tensor<3x1x6xf32>) -> tensor<3x5x6xf32> {
    %3 = canao.matmul %0, %1 : (tensor<3x5x8xf32>, tensor<8x6xf32>) -> tensor<3x5x6xf32>
    %4 = canao.add %3, %2 : (tensor<3x5x6xf32>, tensor<3x1x6xf32>) -> tensor<3x5x6xf32>
    canao.yield %4 : tensor<3x5x6xf32>
  }
  func.return %r : tensor<3x5x6xf32>
}
// CHECK:       canao.layer
// CHECK-NEXT:    canao.matmul {{.*}} -> tensor<3x5x6xf32>

// -----

// One item alone has nothing to collapse.
func.func @main(%x: tensor<1x5x8xf32>, %w: tensor<8x6xf32>) -> tensor<1x5x6xf32> {
  %r = canao.layer(%0 = %x, %1 = %w) : (tensor<1x5x8xf32>, tensor<8x6xf32>) -> tensor<1x5x6xf32> {
    %2 = canao.matmul %0, %1 : (tensor<1x5x8xf32>, tensor<8x6xf32>) -> tensor<1x5x6xf32>
    canao.yield %2 : tensor<1x5x6xf32>
  }
  func.return %r : tensor<1x5x6xf32>
}
// CHECK:       canao.layer
// CHECK-NEXT:    canao.matmul {{.*}} -> tensor<1x5x6xf32>
