// RUN: canao-opt %s --split-input-file -p lp-fusion | filecheck %s

// Stored through a transpose and a reshape without a division: they join the product.
func.func @main(%x: tensor<2x4x8xf32>) -> tensor<4x12xf32> {
  %w = canao.weight "w" : tensor<8x6xf32>
  %y = canao.matmul %x, %w : (tensor<2x4x8xf32>, tensor<8x6xf32>) -> tensor<2x4x6xf32>
  %t = canao.transpose %y [1, 0, 2] : (tensor<2x4x6xf32>) -> tensor<4x2x6xf32>
  %r = canao.reshape %t : (tensor<4x2x6xf32>) -> tensor<4x12xf32>
  func.return %r : tensor<4x12xf32>
}

// -----

// The other way round storing would divide, so the layer after reads through it.
func.func @main(%x: tensor<4x8xf32>) -> tensor<2x4x6xf32> {
  %w = canao.weight "w" : tensor<8x12xf32>
  %y = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x12xf32>) -> tensor<4x12xf32>
  %r = canao.reshape %y : (tensor<4x12xf32>) -> tensor<4x2x6xf32>
  %t = canao.transpose %r [1, 0, 2] : (tensor<4x2x6xf32>) -> tensor<2x4x6xf32>
  %e = canao.softmax %t axis 2 : (tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  func.return %e : tensor<2x4x6xf32>
}

// -----

// A move that several layers read is copied into each of them.
func.func @main(%x: tensor<4x8xf32>) -> (tensor<8x4xf32>, tensor<8x6xf32>) {
  %w = canao.weight "w" : tensor<4x6xf32>
  %t = canao.transpose %x [1, 0] : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %s = canao.softmax %t axis 1 : (tensor<8x4xf32>) -> tensor<8x4xf32>
  %y = canao.matmul %t, %w : (tensor<8x4xf32>, tensor<4x6xf32>) -> tensor<8x6xf32>
  func.return %s, %y : tensor<8x4xf32>, tensor<8x6xf32>
}

// -----

// A result that is an input, a constant, or given twice is copied by a layer of its own.
func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<2xf32>, tensor<4xf32>, tensor<4xf32>) {
  %c = canao.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %e = canao.exp %x : (tensor<4xf32>) -> tensor<4xf32>
  func.return %x, %c, %e, %e : tensor<4xf32>, tensor<2xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @main(%x: tensor<2x4x8xf32>) -> tensor<4x12xf32> {
// CHECK-NEXT:    %w = canao.weight "w" : tensor<8x6xf32>
// CHECK-NEXT:    %0 = canao.layer(%1 = %x, %2 = %w) : (tensor<2x4x8xf32>, tensor<8x6xf32>) -> tensor<4x12xf32> {
// CHECK-NEXT:      %y = canao.matmul %1, %2 : (tensor<2x4x8xf32>, tensor<8x6xf32>) -> tensor<2x4x6xf32>
// CHECK-NEXT:      %t = canao.transpose %y [1, 0, 2] : (tensor<2x4x6xf32>) -> tensor<4x2x6xf32>
// CHECK-NEXT:      %r = canao.reshape %t : (tensor<4x2x6xf32>) -> tensor<4x12xf32>
// CHECK-NEXT:      canao.yield %r : tensor<4x12xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %0 : tensor<4x12xf32>
// CHECK-LABEL: func.func @main(%x: tensor<4x8xf32>) -> tensor<2x4x6xf32> {
// CHECK-NEXT:    %w = canao.weight "w" : tensor<8x12xf32>
// CHECK-NEXT:    %0 = canao.layer(%1 = %x, %2 = %w) : (tensor<4x8xf32>, tensor<8x12xf32>) -> tensor<4x12xf32> {
// CHECK-NEXT:      %y = canao.matmul %1, %2 : (tensor<4x8xf32>, tensor<8x12xf32>) -> tensor<4x12xf32>
// CHECK-NEXT:      canao.yield %y : tensor<4x12xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %1 = canao.layer(%2 = %0) : (tensor<4x12xf32>) -> tensor<2x4x6xf32> {
// CHECK-NEXT:      %r = canao.reshape %2 : (tensor<4x12xf32>) -> tensor<4x2x6xf32>
// CHECK-NEXT:      %t = canao.transpose %r [1, 0, 2] : (tensor<4x2x6xf32>) -> tensor<2x4x6xf32>
// CHECK-NEXT:      %e = canao.softmax %t axis 2 : (tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
// CHECK-NEXT:      canao.yield %e : tensor<2x4x6xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %1 : tensor<2x4x6xf32>
// CHECK-LABEL: func.func @main(%x: tensor<4x8xf32>) -> (tensor<8x4xf32>, tensor<8x6xf32>) {
// CHECK-NEXT:    %w = canao.weight "w" : tensor<4x6xf32>
// CHECK-NEXT:    %0 = canao.layer(%1 = %x) : (tensor<4x8xf32>) -> tensor<8x4xf32> {
// CHECK-NEXT:      %t = canao.transpose %1 [1, 0] : (tensor<4x8xf32>) -> tensor<8x4xf32>
// CHECK-NEXT:      %s = canao.softmax %t axis 1 : (tensor<8x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT:      canao.yield %s : tensor<8x4xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %1 = canao.layer(%2 = %x, %3 = %w) : (tensor<4x8xf32>, tensor<4x6xf32>) -> tensor<8x6xf32> {
// CHECK-NEXT:      %t = canao.transpose %2 [1, 0] : (tensor<4x8xf32>) -> tensor<8x4xf32>
// CHECK-NEXT:      %y = canao.matmul %t, %3 : (tensor<8x4xf32>, tensor<4x6xf32>) -> tensor<8x6xf32>
// CHECK-NEXT:      canao.yield %y : tensor<8x6xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %0, %1 : tensor<8x4xf32>, tensor<8x6xf32>
// CHECK-LABEL: func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<2xf32>, tensor<4xf32>, tensor<4xf32>) {
// CHECK-NEXT:    %c = canao.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
// CHECK-NEXT:    %0 = canao.layer(%1 = %x) : (tensor<4xf32>) -> tensor<4xf32> {
// CHECK-NEXT:      %e = canao.exp %1 : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:      canao.yield %e : tensor<4xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %1 = canao.layer(%2 = %x) : (tensor<4xf32>) -> tensor<4xf32> {
// CHECK-NEXT:      %3 = canao.reshape %2 : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:      canao.yield %3 : tensor<4xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %2 = canao.layer(%3 = %c) : (tensor<2xf32>) -> tensor<2xf32> {
// CHECK-NEXT:      %4 = canao.reshape %3 : (tensor<2xf32>) -> tensor<2xf32>
// CHECK-NEXT:      canao.yield %4 : tensor<2xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %3 = canao.layer(%4 = %0) : (tensor<4xf32>) -> tensor<4xf32> {
// CHECK-NEXT:      %5 = canao.reshape %4 : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:      canao.yield %5 : tensor<4xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %1, %2, %0, %3 : tensor<4xf32>, tensor<2xf32>, tensor<4xf32>, tensor<4xf32>

// -----

// Whether storing through this needs a division depends on the batch: it is taken to.
func.func @main(%x: tensor<?x8xf32, #canao.extents<[batch * 4, 8], batch in 1 to 4>>) -> tensor<?x4x8xf32, #canao.extents<[batch, 4, 8], batch in 1 to 4>> {
  %e = canao.exp %x : (tensor<?x8xf32, #canao.extents<[batch * 4, 8], batch in 1 to 4>>) -> tensor<?x8xf32, #canao.extents<[batch * 4, 8], batch in 1 to 4>>
  %r = canao.reshape %e : (tensor<?x8xf32, #canao.extents<[batch * 4, 8], batch in 1 to 4>>) -> tensor<?x4x8xf32, #canao.extents<[batch, 4, 8], batch in 1 to 4>>
  func.return %r : tensor<?x4x8xf32, #canao.extents<[batch, 4, 8], batch in 1 to 4>>
}

// CHECK-LABEL: func.func @main
// CHECK: canao.layer
// CHECK-NEXT: canao.exp
// CHECK-NEXT: canao.reshape
