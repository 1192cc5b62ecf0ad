// RUN: canao-opt %s --split-input-file -p lp-fusion | filecheck %s

// A value that a later layer needs as well is a second result of the layer.
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = canao.weight "w" : tensor<8x8xf32>
  %y = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %t = canao.tanh %y : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %z = canao.matmul %t, %w : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %r = canao.add %z, %y : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// -----

// The sum joins the later of the two products: joining the first would make a cycle.
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = canao.weight "w" : tensor<8x8xf32>
  %a = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %s = canao.softmax %a axis 0 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %b = canao.matmul %s, %w : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %r = canao.sub %a, %b : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// -----

// An elementwise chain that two layers read is stored once, not computed twice.
func.func @main(%x: tensor<4x8xf32>) -> (tensor<4x6xf32>, tensor<4x5xf32>) {
  %w = canao.weight "w" : tensor<8x6xf32>
  %v = canao.weight "v" : tensor<8x5xf32>
  %e = canao.exp %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %a = canao.matmul %e, %w : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %b = canao.matmul %e, %v : (tensor<4x8xf32>, tensor<8x5xf32>) -> tensor<4x5xf32>
  func.return %a, %b : tensor<4x6xf32>, tensor<4x5xf32>
}

// CHECK-LABEL: func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:    %w = canao.weight "w" : tensor<8x8xf32>
// CHECK-NEXT:    %0, %1 = canao.layer(%2 = %x, %3 = %w) : (tensor<4x8xf32>, tensor<8x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
// CHECK-NEXT:      %y = canao.matmul %2, %3 : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %t = canao.tanh %y : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      canao.yield %y, %t : tensor<4x8xf32>, tensor<4x8xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %2 = canao.layer(%3 = %1, %4 = %w, %5 = %0) : (tensor<4x8xf32>, tensor<8x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:      %z = canao.matmul %3, %4 : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %r = canao.add %z, %5 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      canao.yield %r : tensor<4x8xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %2 : tensor<4x8xf32>
// CHECK-LABEL: func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:    %w = canao.weight "w" : tensor<8x8xf32>
// CHECK-NEXT:    %0, %1 = canao.layer(%2 = %x, %3 = %w) : (tensor<4x8xf32>, tensor<8x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
// CHECK-NEXT:      %a = canao.matmul %2, %3 : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %s = canao.softmax %a axis 0 : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      canao.yield %a, %s : tensor<4x8xf32>, tensor<4x8xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %2 = canao.layer(%3 = %1, %4 = %w, %5 = %0) : (tensor<4x8xf32>, tensor<8x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:      %b = canao.matmul %3, %4 : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %r = canao.sub %5, %b : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      canao.yield %r : tensor<4x8xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %2 : tensor<4x8xf32>
// CHECK-LABEL: func.func @main(%x: tensor<4x8xf32>) -> (tensor<4x6xf32>, tensor<4x5xf32>) {
// CHECK-NEXT:    %w = canao.weight "w" : tensor<8x6xf32>
// CHECK-NEXT:    %v = canao.weight "v" : tensor<8x5xf32>
// CHECK-NEXT:    %0 = canao.layer(%1 = %x) : (tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:      %e = canao.exp %1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      canao.yield %e : tensor<4x8xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %1 = canao.layer(%2 = %0, %3 = %w) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT:      %a = canao.matmul %2, %3 : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT:      canao.yield %a : tensor<4x6xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %2 = canao.layer(%3 = %0, %4 = %v) : (tensor<4x8xf32>, tensor<8x5xf32>) -> tensor<4x5xf32> {
// CHECK-NEXT:      %b = canao.matmul %3, %4 : (tensor<4x8xf32>, tensor<8x5xf32>) -> tensor<4x5xf32>
// CHECK-NEXT:      canao.yield %b : tensor<4x5xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %1, %2 : tensor<4x6xf32>, tensor<4x5xf32>
