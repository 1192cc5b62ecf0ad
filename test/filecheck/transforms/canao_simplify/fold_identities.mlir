// RUN: canao-opt %s -p canao-simplify | filecheck %s

// Arithmetic that changes nothing goes.

// x * 1, x + -0, x - 0, x / 1, x ** 1
func.func @identities(%x: tensor<4xf32>) -> tensor<4xf32> {
  %zero = canao.constant dense<0.0> : tensor<f32>
  %minus_zero = canao.constant dense<-0.0> : tensor<f32>
  %one = canao.constant dense<1.0> : tensor<4xf32>
  %a = canao.mul %one, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %b = canao.add %minus_zero, %a : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %c = canao.sub %b, %zero : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %d = canao.div %c, %one : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %e = canao.pow %d, %one : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %e : tensor<4xf32>
}

// CHECK-LABEL: func.func @identities(
// CHECK-NEXT:   func.return %x : tensor<4xf32>

// 0 - x is not x, nor is x + 0 (x may be -0), x * 0 is not 0 (x may be NaN), x - x is not 0 (x may be infinite).
func.func @no_identities(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %zero = canao.constant dense<0.0> : tensor<f32>
  %a = canao.sub %zero, %x : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %b = canao.mul %x, %zero : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %c = canao.sub %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %d = canao.add %x, %zero : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  func.return %a, %b, %c, %d : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @no_identities(
// CHECK-NEXT:   %zero = canao.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT:   %a = canao.sub %zero, %x : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:   %b = canao.mul %x, %zero : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:   %c = canao.sub %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:   %d = canao.add %x, %zero : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:   func.return %a, %b, %c, %d : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>

// An identity that widens its operand leaves the widening.
func.func @widening(%x: tensor<4xf32>) -> tensor<2x4xf32> {
  %zero = canao.constant dense<0.0> : tensor<2x1xf32>
  %r = canao.sub %x, %zero : (tensor<4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  func.return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @widening(
// CHECK-NEXT:   %r = canao.broadcast %x : (tensor<4xf32>) -> tensor<2x4xf32>
// CHECK-NEXT:   func.return %r : tensor<2x4xf32>

// Double negation and double complement go.
func.func @double(%x: tensor<4xf32>, %t: tensor<4xi1>) -> (tensor<4xf32>, tensor<4xi1>) {
  %a = canao.neg %x : (tensor<4xf32>) -> tensor<4xf32>
  %b = canao.neg %a : (tensor<4xf32>) -> tensor<4xf32>
  %c = canao.not %t : (tensor<4xi1>) -> tensor<4xi1>
  %d = canao.not %c : (tensor<4xi1>) -> tensor<4xi1>
  func.return %b, %d : tensor<4xf32>, tensor<4xi1>
}

// CHECK-LABEL: func.func @double(
// CHECK-NEXT:   func.return %x, %t : tensor<4xf32>, tensor<4xi1>

// Truth values decide.
func.func @truth(%t: tensor<4xi1>) -> (tensor<4xi1>, tensor<4xi1>, tensor<4xi1>) {
  %true = canao.constant dense<true> : tensor<i1>
  %false = canao.constant dense<false> : tensor<4xi1>
  %a = canao.and %true, %t : (tensor<i1>, tensor<4xi1>) -> tensor<4xi1>
  %b = canao.or %t, %true : (tensor<4xi1>, tensor<i1>) -> tensor<4xi1>
  %c = canao.or %a, %false : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
  %d = canao.and %c, %c : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
  %e = canao.and %d, %false : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
  func.return %b, %d, %e : tensor<4xi1>, tensor<4xi1>, tensor<4xi1>
}

// CHECK-LABEL: func.func @truth(
// CHECK-NEXT:   %true = canao.constant dense<true> : tensor<i1>
// CHECK-NEXT:   %false = canao.constant dense<false> : tensor<i1>
// CHECK-NEXT:   %false_1 = canao.broadcast %false : (tensor<i1>) -> tensor<4xi1>
// CHECK-NEXT:   %b = canao.broadcast %true : (tensor<i1>) -> tensor<4xi1>
// CHECK-NEXT:   func.return %b, %t, %false_1 : tensor<4xi1>, tensor<4xi1>, tensor<4xi1>

// A select by a constant, of equal branches, and by a complement.
func.func @select(%t: tensor<4xi1>, %x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %false = canao.constant dense<false> : tensor<4xi1>
  %a = canao.select %false, %x, %y : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %b = canao.select %t, %x, %x : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %n = canao.not %t : (tensor<4xi1>) -> tensor<4xi1>
  %c = canao.select %n, %x, %y : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %a, %b, %c : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @select(
// CHECK-NEXT:   %c = canao.select %t, %y, %x : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:   func.return %y, %x, %c : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>

// Complements of comparisons: of floats only (in)equality has one, for NaN has no order.
func.func @comparisons(%i: tensor<4xi64>, %x: tensor<4xf32>) -> (tensor<4xi1>, tensor<4xi1>, tensor<4xi1>) {
  %a = canao.cmp "lt" %i, %i : (tensor<4xi64>, tensor<4xi64>) -> tensor<4xi1>
  %b = canao.not %a : (tensor<4xi1>) -> tensor<4xi1>
  %c = canao.cmp "eq" %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  %d = canao.not %c : (tensor<4xi1>) -> tensor<4xi1>
  %e = canao.cmp "lt" %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  %f = canao.not %e : (tensor<4xi1>) -> tensor<4xi1>
  func.return %b, %d, %f : tensor<4xi1>, tensor<4xi1>, tensor<4xi1>
}

// CHECK-LABEL: func.func @comparisons(
// CHECK-NEXT:   %b = canao.cmp "ge" %i, %i : (tensor<4xi64>, tensor<4xi64>) -> tensor<4xi1>
// CHECK-NEXT:   %d = canao.cmp "ne" %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
// CHECK-NEXT:   %e = canao.cmp "lt" %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
// CHECK-NEXT:   %f = canao.not %e : (tensor<4xi1>) -> tensor<4xi1>
// CHECK-NEXT:   func.return %b, %d, %f : tensor<4xi1>, tensor<4xi1>, tensor<4xi1>

// A truth value made a number and compared with 0 is itself.
func.func @truth_number(%t: tensor<4xi1>) -> (tensor<4xi1>, tensor<4xi1>) {
  %zero = canao.constant dense<0> : tensor<i64>
  %n = canao.cast %t : (tensor<4xi1>) -> tensor<4xi64>
  %a = canao.cmp "ne" %n, %zero : (tensor<4xi64>, tensor<i64>) -> tensor<4xi1>
  %b = canao.cmp "eq" %n, %zero : (tensor<4xi64>, tensor<i64>) -> tensor<4xi1>
  func.return %a, %b : tensor<4xi1>, tensor<4xi1>
}

// CHECK-LABEL: func.func @truth_number(
// CHECK-NEXT:   %b = canao.not %t : (tensor<4xi1>) -> tensor<4xi1>
// CHECK-NEXT:   func.return %t, %b : tensor<4xi1>, tensor<4xi1>

// Casts that lose nothing join; those that do stay.
func.func @casts(%x: tensor<4xf32>, %t: tensor<4xi1>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %a = canao.cast %x : (tensor<4xf32>) -> tensor<4xf64>
  %b = canao.cast %a : (tensor<4xf64>) -> tensor<4xf32>
  %c = canao.cast %t : (tensor<4xi1>) -> tensor<4xi64>
  %d = canao.cast %c : (tensor<4xi64>) -> tensor<4xf32>
  %e = canao.cast %x : (tensor<4xf32>) -> tensor<4xi64>
  %f = canao.cast %e : (tensor<4xi64>) -> tensor<4xf32>
  func.return %b, %d, %f : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @casts(
// CHECK-NEXT:   %d = canao.cast %t : (tensor<4xi1>) -> tensor<4xf32>
// CHECK-NEXT:   %e = canao.cast %x : (tensor<4xf32>) -> tensor<4xi64>
// CHECK-NEXT:   %f = canao.cast %e : (tensor<4xi64>) -> tensor<4xf32>
// CHECK-NEXT:   func.return %x, %d, %f : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>

// Numbers of a product join; a division by a number is a product.
func.func @numbers(%x: tensor<4xf32>) -> tensor<4xf32> {
  %two = canao.constant dense<2.0> : tensor<f32>
  %eight = canao.constant dense<8.0> : tensor<f32>
  %a = canao.mul %x, %two : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %b = canao.div %a, %eight : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}

// CHECK-LABEL: func.func @numbers(
// CHECK-NEXT:   %0 = canao.constant dense<2.500000e-01> : tensor<f32>
// CHECK-NEXT:   %b = canao.mul %x, %0 : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:   func.return %b : tensor<4xf32>

// Not that of a rounded number: 21 / 10 is the number written 2.1.
func.func @rounded(%x: tensor<4xf32>) -> tensor<4xf32> {
  %ten = canao.constant dense<10.0> : tensor<f32>
  %a = canao.round %x : (tensor<4xf32>) -> tensor<4xf32>
  %b = canao.div %a, %ten : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}

// CHECK-LABEL: func.func @rounded(
// CHECK-NEXT:   %ten = canao.constant dense<1.000000e+01> : tensor<f32>
// CHECK-NEXT:   %a = canao.round %x : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:   %b = canao.div %a, %ten : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:   func.return %b : tensor<4xf32>

// They stay apart where the inner product has another use, and no number divides by 0.
func.func @shared_numbers(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %zero = canao.constant dense<0.0> : tensor<f32>
  %two = canao.constant dense<2.0> : tensor<f32>
  %a = canao.mul %x, %two : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %b = canao.mul %a, %two : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %c = canao.div %x, %zero : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  func.return %a, %b, %c : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @shared_numbers(
// CHECK-NEXT:   %zero = canao.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT:   %two = canao.constant dense<2.000000e+00> : tensor<f32>
// CHECK-NEXT:   %a = canao.mul %x, %two : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:   %b = canao.mul %a, %two : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:   %c = canao.div %x, %zero : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:   func.return %a, %b, %c : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>

// And where their product overflows or vanishes: 0 * inf is no number.
func.func @far_numbers(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %large = canao.constant dense<1.0e+30> : tensor<f32>
  %small = canao.constant dense<1.0e-30> : tensor<f32>
  %a = canao.mul %x, %large : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %b = canao.mul %a, %large : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %c = canao.mul %x, %small : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %d = canao.mul %c, %small : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  func.return %b, %d : tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @far_numbers(
// CHECK:        %a = canao.mul %x, %large : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:   %b = canao.mul %a, %large : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:   %c = canao.mul %x, %small : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:   %d = canao.mul %c, %small : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT:   func.return %b, %d : tensor<4xf32>, tensor<4xf32>
