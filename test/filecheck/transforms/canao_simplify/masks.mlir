// RUN: canao-opt %s -p canao-simplify | filecheck %s

// Attention masks end small: what is constant along a dimension has length 1 there.

// All of the causal part is true, so the mask of the keys is the mask.
func.func @padding(%mask: tensor<2x5xi64>, %s: tensor<2x12x5x5xf32>) -> tensor<2x12x5x5xf32> {
  %zero = canao.constant dense<0.0> : tensor<f32>
  %lowest = canao.constant dense<"0x000080FF"> : tensor<f32>
  %places = canao.constant dense<[[[[0], [1], [2], [3], [4]]]]> : tensor<1x1x5x1xi64>
  %first = canao.constant dense<0> : tensor<i64>
  %batch = canao.constant dense<[[[[0]]], [[[1]]]]> : tensor<2x1x1x1xi64>
  %keys = canao.constant dense<[[[[0, 1, 2, 3, 4]]]]> : tensor<1x1x1x5xi64>
  %m = canao.cast %mask : (tensor<2x5xi64>) -> tensor<2x5xi1>
  %seen = canao.cmp "ge" %places, %first : (tensor<1x1x5x1xi64>, tensor<i64>) -> tensor<1x1x5x1xi1>
  %kept = canao.gather %m at %batch, %keys : (tensor<2x5xi1>, tensor<2x1x1x1xi64>, tensor<1x1x1x5xi64>) -> tensor<2x1x1x5xi1>
  %both = canao.and %seen, %kept : (tensor<1x1x5x1xi1>, tensor<2x1x1x5xi1>) -> tensor<2x1x5x5xi1>
  %bias = canao.select %both, %zero, %lowest : (tensor<2x1x5x5xi1>, tensor<f32>, tensor<f32>) -> tensor<2x1x5x5xf32>
  %all = canao.broadcast %bias : (tensor<2x1x5x5xf32>) -> tensor<2x12x5x5xf32>
  %r = canao.add %s, %all : (tensor<2x12x5x5xf32>, tensor<2x12x5x5xf32>) -> tensor<2x12x5x5xf32>
  func.return %r : tensor<2x12x5x5xf32>
}

// CHECK-LABEL: func.func @padding(
// CHECK-NEXT:   %zero = canao.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT:   %lowest = canao.constant dense<"0x000080FF"> : tensor<f32>
// CHECK-NEXT:   %m = canao.cast %mask : (tensor<2x5xi64>) -> tensor<2x5xi1>
// CHECK-NEXT:   %0 = canao.select %m, %zero, %lowest : (tensor<2x5xi1>, tensor<f32>, tensor<f32>) -> tensor<2x5xf32>
// CHECK-NEXT:   %1 = canao.reshape %0 : (tensor<2x5xf32>) -> tensor<2x1x1x5xf32>
// CHECK-NEXT:   %r = canao.add %s, %1 : (tensor<2x12x5x5xf32>, tensor<2x1x1x5xf32>) -> tensor<2x12x5x5xf32>
// CHECK-NEXT:   func.return %r : tensor<2x12x5x5xf32>
