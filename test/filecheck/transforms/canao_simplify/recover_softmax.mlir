// RUN: canao-opt %s -p canao-simplify | filecheck %s

// Softmax is found by its arithmetic.

// As it is written.
func.func @plain(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %mx = canao.reduce_max %x axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
  %d = canao.sub %x, %mx : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
  %p = canao.exp %d : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %t = canao.reduce_sum %p axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
  %o = canao.div %p, %t : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
  func.return %o : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @plain(
// CHECK-NEXT:   %o = canao.softmax %x axis 1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   func.return %o : tensor<4x8xf32>

// By the reciprocal, over the first dimension.
func.func @reciprocal(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %mx = canao.reduce_max %x axes [0] : (tensor<4x8xf32>) -> tensor<1x8xf32>
  %d = canao.sub %x, %mx : (tensor<4x8xf32>, tensor<1x8xf32>) -> tensor<4x8xf32>
  %p = canao.exp %d : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %t = canao.reduce_sum %p axes [0] : (tensor<4x8xf32>) -> tensor<1x8xf32>
  %i = canao.reciprocal %t : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %r = canao.mul %i, %p : (tensor<1x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @reciprocal(
// CHECK-NEXT:   %r = canao.softmax %x axis 0 : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   func.return %r : tensor<4x8xf32>

// With the maximum of another dimension it stays.
func.func @other(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %mx = canao.reduce_max %x axes [0] : (tensor<4x8xf32>) -> tensor<1x8xf32>
  %d = canao.sub %x, %mx : (tensor<4x8xf32>, tensor<1x8xf32>) -> tensor<4x8xf32>
  %p = canao.exp %d : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %t = canao.reduce_sum %p axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
  %r = canao.div %p, %t : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @other(
// CHECK-NEXT:   %mx = canao.reduce_max %x axes [0] : (tensor<4x8xf32>) -> tensor<1x8xf32>
// CHECK-NEXT:   %d = canao.sub %x, %mx : (tensor<4x8xf32>, tensor<1x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %p = canao.exp %d : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %t = canao.reduce_sum %p axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT:   %r = canao.div %p, %t : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   func.return %r : tensor<4x8xf32>

// Zero in rows of -inf, by all of ==.
func.func @all(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %lowest = canao.constant dense<"0x000080FF"> : tensor<f32>
  %zero = canao.constant dense<0.0> : tensor<4x8xf32>
  %mx = canao.reduce_max %x axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
  %d = canao.sub %x, %mx : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
  %p = canao.exp %d : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %t = canao.reduce_sum %p axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
  %o = canao.div %p, %t : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
  %e = canao.cmp "eq" %x, %lowest : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xi1>
  %a = canao.reduce_min %e axes [1] : (tensor<4x8xi1>) -> tensor<4x1xi1>
  %r = canao.select %a, %zero, %o : (tensor<4x1xi1>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @all(
// CHECK-NEXT:   %r = canao.softmax %x axis 1 masked_rows_to_zero : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   func.return %r : tensor<4x8xf32>

// By the complement of any of the complement.
func.func @not_any(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %lowest = canao.constant dense<"0x000080FF"> : tensor<f32>
  %zero = canao.constant dense<0.0> : tensor<4x8xf32>
  %mx = canao.reduce_max %x axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
  %d = canao.sub %x, %mx : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
  %p = canao.exp %d : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %t = canao.reduce_sum %p axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
  %o = canao.div %p, %t : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
  %e = canao.cmp "eq" %x, %lowest : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xi1>
  %n = canao.not %e : (tensor<4x8xi1>) -> tensor<4x8xi1>
  %a = canao.reduce_max %n axes [1] : (tensor<4x8xi1>) -> tensor<4x1xi1>
  %b = canao.not %a : (tensor<4x1xi1>) -> tensor<4x1xi1>
  %r = canao.select %b, %zero, %o : (tensor<4x1xi1>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @not_any(
// CHECK-NEXT:   %r = canao.softmax %x axis 1 masked_rows_to_zero : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   func.return %r : tensor<4x8xf32>

// Not where other rows are masked than those of the operand.
func.func @other_rows(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %lowest = canao.constant dense<"0x000080FF"> : tensor<f32>
  %zero = canao.constant dense<0.0> : tensor<4x8xf32>
  %mx = canao.reduce_max %x axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
  %d = canao.sub %x, %mx : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
  %p = canao.exp %d : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %t = canao.reduce_sum %p axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
  %o = canao.div %p, %t : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
  %e = canao.cmp "eq" %p, %lowest : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xi1>
  %a = canao.reduce_min %e axes [1] : (tensor<4x8xi1>) -> tensor<4x1xi1>
  %r = canao.select %a, %zero, %o : (tensor<4x1xi1>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @other_rows(
// CHECK-NEXT:   %lowest = canao.constant dense<"0x000080FF"> : tensor<f32>
// CHECK-NEXT:   %zero = canao.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT:   %mx = canao.reduce_max %x axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT:   %d = canao.sub %x, %mx : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %p = canao.exp %d : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %o = canao.softmax %x axis 1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %e = canao.cmp "eq" %p, %lowest : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xi1>
// CHECK-NEXT:   %a = canao.reduce_min %e axes [1] : (tensor<4x8xi1>) -> tensor<4x1xi1>
// CHECK-NEXT:   %r = canao.select %a, %zero, %o : (tensor<4x1xi1>, tensor<f32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   func.return %r : tensor<4x8xf32>
