// RUN: canao-opt %s --split-input-file -p lp-fusion | filecheck %s

// Scores, mask, softmax, context and the transpose back are one layer. Transposes
// of queries, keys and values are read through.
func.func @main(%q: tensor<4x16xf32>, %k: tensor<4x16xf32>, %v: tensor<4x16xf32>, %padding: tensor<1x1x4xi64>) -> tensor<4x16xf32> {
  %q1 = canao.reshape %q : (tensor<4x16xf32>) -> tensor<4x2x8xf32>
  %k1 = canao.reshape %k : (tensor<4x16xf32>) -> tensor<4x2x8xf32>
  %v1 = canao.reshape %v : (tensor<4x16xf32>) -> tensor<4x2x8xf32>
  %q2 = canao.transpose %q1 [1, 0, 2] : (tensor<4x2x8xf32>) -> tensor<2x4x8xf32>
  %k2 = canao.transpose %k1 [1, 2, 0] : (tensor<4x2x8xf32>) -> tensor<2x8x4xf32>
  %v2 = canao.transpose %v1 [1, 0, 2] : (tensor<4x2x8xf32>) -> tensor<2x4x8xf32>
  %zero = canao.constant dense<0.0> : tensor<f32>
  %lowest = canao.constant dense<"0x000080FF"> : tensor<f32>
  %none = canao.constant dense<0> : tensor<i64>
  %kept = canao.cmp "ne" %padding, %none : (tensor<1x1x4xi64>, tensor<i64>) -> tensor<1x1x4xi1>
  %mask = canao.select %kept, %zero, %lowest : (tensor<1x1x4xi1>, tensor<f32>, tensor<f32>) -> tensor<1x1x4xf32>
  %s = canao.matmul %q2, %k2 : (tensor<2x4x8xf32>, tensor<2x8x4xf32>) -> tensor<2x4x4xf32>
  %m = canao.add %s, %mask : (tensor<2x4x4xf32>, tensor<1x1x4xf32>) -> tensor<2x4x4xf32>
  %p = canao.softmax %m axis 2 : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %c = canao.matmul %p, %v2 : (tensor<2x4x4xf32>, tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %c1 = canao.transpose %c [1, 0, 2] : (tensor<2x4x8xf32>) -> tensor<4x2x8xf32>
  %c2 = canao.reshape %c1 : (tensor<4x2x8xf32>) -> tensor<4x16xf32>
  func.return %c2 : tensor<4x16xf32>
}

// -----

// A mask that two layers read is computed once, in a layer of its own.
func.func @main(%x: tensor<4x8xf32>, %padding: tensor<1x4xi64>) -> tensor<4x8xf32> {
  %none = canao.constant dense<0> : tensor<i64>
  %zero = canao.constant dense<0.0> : tensor<f32>
  %lowest = canao.constant dense<-1.0e9> : tensor<f32>
  %kept = canao.cmp "ne" %padding, %none : (tensor<1x4xi64>, tensor<i64>) -> tensor<1x4xi1>
  %mask = canao.select %kept, %zero, %lowest : (tensor<1x4xi1>, tensor<f32>, tensor<f32>) -> tensor<1x4xf32>
  %t0 = canao.transpose %x [1, 0] : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %s0 = canao.matmul %x, %t0 : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
  %m0 = canao.add %s0, %mask : (tensor<4x4xf32>, tensor<1x4xf32>) -> tensor<4x4xf32>
  %p0 = canao.softmax %m0 axis 1 : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %c0 = canao.matmul %p0, %x : (tensor<4x4xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %t1 = canao.transpose %c0 [1, 0] : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %s1 = canao.matmul %c0, %t1 : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
  %m1 = canao.add %s1, %mask : (tensor<4x4xf32>, tensor<1x4xf32>) -> tensor<4x4xf32>
  %p1 = canao.softmax %m1 axis 1 : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %c1 = canao.matmul %p1, %c0 : (tensor<4x4xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %c1 : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @main(%q: tensor<4x16xf32>, %k: tensor<4x16xf32>, %v: tensor<4x16xf32>, %padding: tensor<1x1x4xi64>) -> tensor<4x16xf32> {
// CHECK-NEXT:    %zero = canao.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT:    %lowest = canao.constant dense<"0x000080FF"> : tensor<f32>
// CHECK-NEXT:    %none = canao.constant dense<0> : tensor<i64>
// CHECK-NEXT:    %0 = canao.layer(%1 = %q, %2 = %k, %3 = %padding, %4 = %v) : (tensor<4x16xf32>, tensor<4x16xf32>, tensor<1x1x4xi64>, tensor<4x16xf32>) -> tensor<4x16xf32> {
// CHECK-NEXT:      %q1 = canao.reshape %1 : (tensor<4x16xf32>) -> tensor<4x2x8xf32>
// CHECK-NEXT:      %q2 = canao.transpose %q1 [1, 0, 2] : (tensor<4x2x8xf32>) -> tensor<2x4x8xf32>
// CHECK-NEXT:      %k1 = canao.reshape %2 : (tensor<4x16xf32>) -> tensor<4x2x8xf32>
// CHECK-NEXT:      %k2 = canao.transpose %k1 [1, 2, 0] : (tensor<4x2x8xf32>) -> tensor<2x8x4xf32>
// CHECK-NEXT:      %s = canao.matmul %q2, %k2 : (tensor<2x4x8xf32>, tensor<2x8x4xf32>) -> tensor<2x4x4xf32>
// CHECK-NEXT:      %none_1 = canao.constant dense<0> : tensor<i64>
// CHECK-NEXT:      %kept = canao.cmp "ne" %3, %none_1 : (tensor<1x1x4xi64>, tensor<i64>) -> tensor<1x1x4xi1>
// CHECK-NEXT:      %zero_1 = canao.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT:      %lowest_1 = canao.constant dense<"0x000080FF"> : tensor<f32>
// CHECK-NEXT:      %mask = canao.select %kept, %zero_1, %lowest_1 : (tensor<1x1x4xi1>, tensor<f32>, tensor<f32>) -> tensor<1x1x4xf32>
// CHECK-NEXT:      %m = canao.add %s, %mask : (tensor<2x4x4xf32>, tensor<1x1x4xf32>) -> tensor<2x4x4xf32>
// CHECK-NEXT:      %p = canao.softmax %m axis 2 : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
// CHECK-NEXT:      %v1 = canao.reshape %4 : (tensor<4x16xf32>) -> tensor<4x2x8xf32>
// CHECK-NEXT:      %v2 = canao.transpose %v1 [1, 0, 2] : (tensor<4x2x8xf32>) -> tensor<2x4x8xf32>
// CHECK-NEXT:      %c = canao.matmul %p, %v2 : (tensor<2x4x4xf32>, tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
// CHECK-NEXT:      %c1 = canao.transpose %c [1, 0, 2] : (tensor<2x4x8xf32>) -> tensor<4x2x8xf32>
// CHECK-NEXT:      %c2 = canao.reshape %c1 : (tensor<4x2x8xf32>) -> tensor<4x16xf32>
// CHECK-NEXT:      canao.yield %c2 : tensor<4x16xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %0 : tensor<4x16xf32>
// CHECK-LABEL: func.func @main(%x: tensor<4x8xf32>, %padding: tensor<1x4xi64>) -> tensor<4x8xf32> {
// CHECK-NEXT:    %none = canao.constant dense<0> : tensor<i64>
// CHECK-NEXT:    %zero = canao.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT:    %lowest = canao.constant dense<-1.000000e+09> : tensor<f32>
// CHECK-NEXT:    %0 = canao.layer(%1 = %padding) : (tensor<1x4xi64>) -> tensor<1x4xf32> {
// CHECK-NEXT:      %none_1 = canao.constant dense<0> : tensor<i64>
// CHECK-NEXT:      %kept = canao.cmp "ne" %1, %none_1 : (tensor<1x4xi64>, tensor<i64>) -> tensor<1x4xi1>
// CHECK-NEXT:      %zero_1 = canao.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT:      %lowest_1 = canao.constant dense<-1.000000e+09> : tensor<f32>
// CHECK-NEXT:      %mask = canao.select %kept, %zero_1, %lowest_1 : (tensor<1x4xi1>, tensor<f32>, tensor<f32>) -> tensor<1x4xf32>
// CHECK-NEXT:      canao.yield %mask : tensor<1x4xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %1 = canao.layer(%2 = %x, %3 = %0) : (tensor<4x8xf32>, tensor<1x4xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:      %t0 = canao.transpose %2 [1, 0] : (tensor<4x8xf32>) -> tensor<8x4xf32>
// CHECK-NEXT:      %s0 = canao.matmul %2, %t0 : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT:      %m0 = canao.add %s0, %3 : (tensor<4x4xf32>, tensor<1x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT:      %p0 = canao.softmax %m0 axis 1 : (tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT:      %c0 = canao.matmul %p0, %2 : (tensor<4x4xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      canao.yield %c0 : tensor<4x8xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %2 = canao.layer(%3 = %1, %4 = %0) : (tensor<4x8xf32>, tensor<1x4xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:      %t1 = canao.transpose %3 [1, 0] : (tensor<4x8xf32>) -> tensor<8x4xf32>
// CHECK-NEXT:      %s1 = canao.matmul %3, %t1 : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT:      %m1 = canao.add %s1, %4 : (tensor<4x4xf32>, tensor<1x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT:      %p1 = canao.softmax %m1 axis 1 : (tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT:      %c1 = canao.matmul %p1, %3 : (tensor<4x4xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      canao.yield %c1 : tensor<4x8xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %2 : tensor<4x8xf32>
