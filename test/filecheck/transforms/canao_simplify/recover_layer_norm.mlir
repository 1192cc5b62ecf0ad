// RUN: canao-opt %s -p canao-simplify | filecheck %s

// Layer normalisation is found by its arithmetic.

// Mean by a product, variance by a square, the inverse root first.
func.func @plain(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %g = canao.weight "g" : tensor<8xf32>
  %b = canao.weight "b" : tensor<8xf32>
  %share = canao.constant dense<0.125> : tensor<f32>
  %e = canao.constant dense<0.25> : tensor<f32>
  %s = canao.reduce_sum %x axes [1] : (tensor<2x8xf32>) -> tensor<2x1xf32>
  %m = canao.mul %share, %s : (tensor<f32>, tensor<2x1xf32>) -> tensor<2x1xf32>
  %c = canao.sub %x, %m : (tensor<2x8xf32>, tensor<2x1xf32>) -> tensor<2x8xf32>
  %q = canao.mul %c, %c : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %t = canao.reduce_sum %q axes [1] : (tensor<2x8xf32>) -> tensor<2x1xf32>
  %v = canao.mul %t, %share : (tensor<2x1xf32>, tensor<f32>) -> tensor<2x1xf32>
  %w = canao.add %e, %v : (tensor<f32>, tensor<2x1xf32>) -> tensor<2x1xf32>
  %i = canao.rsqrt %w : (tensor<2x1xf32>) -> tensor<2x1xf32>
  %n = canao.mul %i, %c : (tensor<2x1xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %k = canao.mul %g, %n : (tensor<8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %r = canao.add %b, %k : (tensor<8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  func.return %r : tensor<2x8xf32>
}

// CHECK-LABEL: func.func @plain(
// CHECK-NEXT:   %g = canao.weight "g" : tensor<8xf32>
// CHECK-NEXT:   %b = canao.weight "b" : tensor<8xf32>
// CHECK-NEXT:   %r = canao.layer_norm %x, %g, %b epsilon 2.500000e-01 : f64 overflow_to_zero : (tensor<2x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<2x8xf32>
// CHECK-NEXT:   func.return %r : tensor<2x8xf32>

// Divided by the root; the variance by a power, in f64; scaled before it is divided.
func.func @wide(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %g = canao.weight "g" : tensor<8xf32>
  %n = canao.constant dense<8.0> : tensor<f32>
  %d = canao.constant dense<8.0> : tensor<f64>
  %two = canao.constant dense<2.0> : tensor<f64>
  %e = canao.constant dense<0.25> : tensor<f32>
  %s = canao.reduce_sum %x axes [1] : (tensor<2x8xf32>) -> tensor<2x1xf32>
  %m = canao.div %s, %n : (tensor<2x1xf32>, tensor<f32>) -> tensor<2x1xf32>
  %c = canao.sub %x, %m : (tensor<2x8xf32>, tensor<2x1xf32>) -> tensor<2x8xf32>
  %xd = canao.cast %x : (tensor<2x8xf32>) -> tensor<2x8xf64>
  %sd = canao.reduce_sum %xd axes [1] : (tensor<2x8xf64>) -> tensor<2x1xf64>
  %md = canao.div %sd, %d : (tensor<2x1xf64>, tensor<f64>) -> tensor<2x1xf64>
  %cd = canao.sub %xd, %md : (tensor<2x8xf64>, tensor<2x1xf64>) -> tensor<2x8xf64>
  %q = canao.pow %cd, %two : (tensor<2x8xf64>, tensor<f64>) -> tensor<2x8xf64>
  %t = canao.reduce_sum %q axes [1] : (tensor<2x8xf64>) -> tensor<2x1xf64>
  %vd = canao.div %t, %d : (tensor<2x1xf64>, tensor<f64>) -> tensor<2x1xf64>
  %v = canao.cast %vd : (tensor<2x1xf64>) -> tensor<2x1xf32>
  %w = canao.add %v, %e : (tensor<2x1xf32>, tensor<f32>) -> tensor<2x1xf32>
  %i = canao.sqrt %w : (tensor<2x1xf32>) -> tensor<2x1xf32>
  %k = canao.mul %g, %c : (tensor<8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %r = canao.div %k, %i : (tensor<2x8xf32>, tensor<2x1xf32>) -> tensor<2x8xf32>
  func.return %r : tensor<2x8xf32>
}

// CHECK-LABEL: func.func @wide(
// CHECK-NEXT:   %g = canao.weight "g" : tensor<8xf32>
// CHECK-NEXT:   %0 = canao.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT:   %1 = canao.broadcast %0 : (tensor<f32>) -> tensor<8xf32>
// CHECK-NEXT:   %r = canao.layer_norm %x, %g, %1 epsilon 2.500000e-01 : f64 overflow_to_zero : (tensor<2x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<2x8xf32>
// CHECK-NEXT:   func.return %r : tensor<2x8xf32>

// Over another dimension than the last it is no layer norm.
func.func @other(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %share = canao.constant dense<0.5> : tensor<f32>
  %e = canao.constant dense<0.25> : tensor<f32>
  %s = canao.reduce_sum %x axes [0] : (tensor<2x8xf32>) -> tensor<1x8xf32>
  %m = canao.mul %s, %share : (tensor<1x8xf32>, tensor<f32>) -> tensor<1x8xf32>
  %c = canao.sub %x, %m : (tensor<2x8xf32>, tensor<1x8xf32>) -> tensor<2x8xf32>
  %q = canao.mul %c, %c : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %t = canao.reduce_sum %q axes [0] : (tensor<2x8xf32>) -> tensor<1x8xf32>
  %v = canao.mul %t, %share : (tensor<1x8xf32>, tensor<f32>) -> tensor<1x8xf32>
  %w = canao.add %v, %e : (tensor<1x8xf32>, tensor<f32>) -> tensor<1x8xf32>
  %i = canao.rsqrt %w : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %r = canao.mul %c, %i : (tensor<2x8xf32>, tensor<1x8xf32>) -> tensor<2x8xf32>
  func.return %r : tensor<2x8xf32>
}

// CHECK-LABEL: func.func @other(
// CHECK-NEXT:   %share = canao.constant dense<5.000000e-01> : tensor<f32>
// CHECK-NEXT:   %e = canao.constant dense<2.500000e-01> : tensor<f32>
// CHECK-NEXT:   %s = canao.reduce_sum %x axes [0] : (tensor<2x8xf32>) -> tensor<1x8xf32>
// CHECK-NEXT:   %m = canao.mul %s, %share : (tensor<1x8xf32>, tensor<f32>) -> tensor<1x8xf32>
// CHECK-NEXT:   %c = canao.sub %x, %m : (tensor<2x8xf32>, tensor<1x8xf32>) -> tensor<2x8xf32>
// CHECK-NEXT:   %q = canao.mul %c, %c : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
// CHECK-NEXT:   %t = canao.reduce_sum %q axes [0] : (tensor<2x8xf32>) -> tensor<1x8xf32>
// CHECK-NEXT:   %v = canao.mul %t, %share : (tensor<1x8xf32>, tensor<f32>) -> tensor<1x8xf32>
// CHECK-NEXT:   %w = canao.add %v, %e : (tensor<1x8xf32>, tensor<f32>) -> tensor<1x8xf32>
// CHECK-NEXT:   %i = canao.rsqrt %w : (tensor<1x8xf32>) -> tensor<1x8xf32>
// CHECK-NEXT:   %r = canao.mul %c, %i : (tensor<2x8xf32>, tensor<1x8xf32>) -> tensor<2x8xf32>
// CHECK-NEXT:   func.return %r : tensor<2x8xf32>

// A scale joins only where the norm has no other use, and has none yet.
func.func @shared(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %g = canao.weight "g" : tensor<8xf32>
  %h = canao.weight "h" : tensor<8xf32>
  %a = canao.layer_norm %x, %g, %h epsilon 1.0e-05 : f64 : (tensor<2x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<2x8xf32>
  %r = canao.mul %a, %g : (tensor<2x8xf32>, tensor<8xf32>) -> tensor<2x8xf32>
  func.return %r : tensor<2x8xf32>
}

// CHECK-LABEL: func.func @shared(
// CHECK-NEXT:   %g = canao.weight "g" : tensor<8xf32>
// CHECK-NEXT:   %h = canao.weight "h" : tensor<8xf32>
// CHECK-NEXT:   %a = canao.layer_norm %x, %g, %h epsilon 1.000000e-05 : f64 : (tensor<2x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<2x8xf32>
// CHECK-NEXT:   %r = canao.mul %a, %g : (tensor<2x8xf32>, tensor<8xf32>) -> tensor<2x8xf32>
// CHECK-NEXT:   func.return %r : tensor<2x8xf32>
