// RUN: canao-opt %s --split-input-file -p expand-composites | filecheck %s

// `(a / t) @ b` is divided after the product, which has fewer elements.
func.func @main(%a: tensor<4x16xf32>, %t: tensor<4x1xf32>, %b: tensor<16x8xf32>) -> tensor<4x8xf32> {
  %r = canao.layer(%x = %a, %y = %t, %z = %b) : (tensor<4x16xf32>, tensor<4x1xf32>, tensor<16x8xf32>) -> tensor<4x8xf32> {
    %q = canao.div %x, %y : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
    %p = canao.matmul %q, %z : (tensor<4x16xf32>, tensor<16x8xf32>) -> tensor<4x8xf32>
    canao.yield %p : tensor<4x8xf32>
  }
  func.return %r : tensor<4x8xf32>
}

// -----

// Not where the product has more elements than the quotient.
func.func @main(%a: tensor<4x8xf32>, %t: tensor<4x1xf32>, %b: tensor<8x16xf32>) -> tensor<4x16xf32> {
  %r = canao.layer(%x = %a, %y = %t, %z = %b) : (tensor<4x8xf32>, tensor<4x1xf32>, tensor<8x16xf32>) -> tensor<4x16xf32> {
    %q = canao.div %x, %y : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
    %p = canao.matmul %q, %z : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
    canao.yield %p : tensor<4x16xf32>
  }
  func.return %r : tensor<4x16xf32>
}

// -----

// Not where the divisor varies along the row.
func.func @main(%a: tensor<4x16xf32>, %t: tensor<4x16xf32>, %b: tensor<16x8xf32>) -> tensor<4x8xf32> {
  %r = canao.layer(%x = %a, %y = %t, %z = %b) : (tensor<4x16xf32>, tensor<4x16xf32>, tensor<16x8xf32>) -> tensor<4x8xf32> {
    %q = canao.div %x, %y : (tensor<4x16xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
    %p = canao.matmul %q, %z : (tensor<4x16xf32>, tensor<16x8xf32>) -> tensor<4x8xf32>
    canao.yield %p : tensor<4x8xf32>
  }
  func.return %r : tensor<4x8xf32>
}

// -----

// Not where the quotient has another use.
func.func @main(%a: tensor<4x16xf32>, %t: tensor<4x1xf32>, %b: tensor<16x8xf32>) -> (tensor<4x8xf32>, tensor<4x16xf32>) {
  %r:2 = canao.layer(%x = %a, %y = %t, %z = %b) : (tensor<4x16xf32>, tensor<4x1xf32>, tensor<16x8xf32>) -> (tensor<4x8xf32>, tensor<4x16xf32>) {
    %q = canao.div %x, %y : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
    %p = canao.matmul %q, %z : (tensor<4x16xf32>, tensor<16x8xf32>) -> tensor<4x8xf32>
    canao.yield %p, %q : tensor<4x8xf32>, tensor<4x16xf32>
  }
  func.return %r#0, %r#1 : tensor<4x8xf32>, tensor<4x16xf32>
}

// -----

// Not where the divisor comes to have the batches of the quotient by broadcasting only.
func.func @main(%a: tensor<4x16xf32>, %t: tensor<2x4x1xf32>, %b: tensor<16x8xf32>) -> tensor<2x4x8xf32> {
  %r = canao.layer(%x = %a, %y = %t, %z = %b) : (tensor<4x16xf32>, tensor<2x4x1xf32>, tensor<16x8xf32>) -> tensor<2x4x8xf32> {
    %q = canao.div %x, %y : (tensor<4x16xf32>, tensor<2x4x1xf32>) -> tensor<2x4x16xf32>
    %p = canao.matmul %q, %z : (tensor<2x4x16xf32>, tensor<16x8xf32>) -> tensor<2x4x8xf32>
    canao.yield %p : tensor<2x4x8xf32>
  }
  func.return %r : tensor<2x4x8xf32>
}

// -----

// Not integers, whose quotients are rounded.
func.func @main(%a: tensor<4x16xi64>, %t: tensor<4x1xi64>, %b: tensor<16x8xi64>) -> tensor<4x8xi64> {
  %r = canao.layer(%x = %a, %y = %t, %z = %b) : (tensor<4x16xi64>, tensor<4x1xi64>, tensor<16x8xi64>) -> tensor<4x8xi64> {
    %q = canao.div %x, %y : (tensor<4x16xi64>, tensor<4x1xi64>) -> tensor<4x16xi64>
    %p = canao.matmul %q, %z : (tensor<4x16xi64>, tensor<16x8xi64>) -> tensor<4x8xi64>
    canao.yield %p : tensor<4x8xi64>
  }
  func.return %r : tensor<4x8xi64>
}

// -----

// Multiplied by the reciprocal where that is finite.
func.func @main(%a: tensor<3x16xf32>, %t: tensor<3x1xf32>, %b: tensor<16x8xf32>) -> tensor<3x8xf32> {
  %r = canao.layer(%x = %a, %y = %t, %z = %b) : (tensor<3x16xf32>, tensor<3x1xf32>, tensor<16x8xf32>) -> tensor<3x8xf32> {
    %c = canao.constant dense<1.17549435e-38> : tensor<f32>
    %m = canao.maximum %y, %c : (tensor<3x1xf32>, tensor<f32>) -> tensor<3x1xf32>
    %q = canao.div %x, %m : (tensor<3x16xf32>, tensor<3x1xf32>) -> tensor<3x16xf32>
    %p = canao.matmul %q, %z : (tensor<3x16xf32>, tensor<16x8xf32>) -> tensor<3x8xf32>
    canao.yield %p : tensor<3x8xf32>
  }
  func.return %r : tensor<3x8xf32>
}

// CHECK-LABEL: func.func @main(%a: tensor<4x16xf32>, %t: tensor<4x1xf32>, %b: tensor<16x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:    %r = canao.layer(%x = %a, %y = %t, %z = %b) : (tensor<4x16xf32>, tensor<4x1xf32>, tensor<16x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:      %p = canao.matmul %x, %z : (tensor<4x16xf32>, tensor<16x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %p_1 = canao.div %p, %y : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      canao.yield %p_1 : tensor<4x8xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %r : tensor<4x8xf32>
// CHECK-LABEL: func.func @main(%a: tensor<4x8xf32>, %t: tensor<4x1xf32>, %b: tensor<8x16xf32>) -> tensor<4x16xf32> {
// CHECK-NEXT:    %r = canao.layer(%x = %a, %y = %t, %z = %b) : (tensor<4x8xf32>, tensor<4x1xf32>, tensor<8x16xf32>) -> tensor<4x16xf32> {
// CHECK-NEXT:      %q = canao.div %x, %y : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      %p = canao.matmul %q, %z : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
// CHECK-NEXT:      canao.yield %p : tensor<4x16xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %r : tensor<4x16xf32>
// CHECK-LABEL: func.func @main(%a: tensor<4x16xf32>, %t: tensor<4x16xf32>, %b: tensor<16x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:    %r = canao.layer(%x = %a, %y = %t, %z = %b) : (tensor<4x16xf32>, tensor<4x16xf32>, tensor<16x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:      %q = canao.div %x, %y : (tensor<4x16xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
// CHECK-NEXT:      %p = canao.matmul %q, %z : (tensor<4x16xf32>, tensor<16x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      canao.yield %p : tensor<4x8xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %r : tensor<4x8xf32>
// CHECK-LABEL: func.func @main(%a: tensor<4x16xf32>, %t: tensor<4x1xf32>, %b: tensor<16x8xf32>) -> (tensor<4x8xf32>, tensor<4x16xf32>) {
// CHECK-NEXT:    %r, %r_1 = canao.layer(%x = %a, %y = %t, %z = %b) : (tensor<4x16xf32>, tensor<4x1xf32>, tensor<16x8xf32>) -> (tensor<4x8xf32>, tensor<4x16xf32>) {
// CHECK-NEXT:      %q = canao.div %x, %y : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
// CHECK-NEXT:      %p = canao.matmul %q, %z : (tensor<4x16xf32>, tensor<16x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:      canao.yield %p, %q : tensor<4x8xf32>, tensor<4x16xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %r, %r_1 : tensor<4x8xf32>, tensor<4x16xf32>
// CHECK-LABEL: func.func @main(%a: tensor<4x16xf32>, %t: tensor<2x4x1xf32>, %b: tensor<16x8xf32>) -> tensor<2x4x8xf32> {
// CHECK-NEXT:    %r = canao.layer(%x = %a, %y = %t, %z = %b) : (tensor<4x16xf32>, tensor<2x4x1xf32>, tensor<16x8xf32>) -> tensor<2x4x8xf32> {
// CHECK-NEXT:      %q = canao.div %x, %y : (tensor<4x16xf32>, tensor<2x4x1xf32>) -> tensor<2x4x16xf32>
// CHECK-NEXT:      %p = canao.matmul %q, %z : (tensor<2x4x16xf32>, tensor<16x8xf32>) -> tensor<2x4x8xf32>
// CHECK-NEXT:      canao.yield %p : tensor<2x4x8xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %r : tensor<2x4x8xf32>
// CHECK-LABEL: func.func @main(%a: tensor<4x16xi64>, %t: tensor<4x1xi64>, %b: tensor<16x8xi64>) -> tensor<4x8xi64> {
// CHECK-NEXT:    %r = canao.layer(%x = %a, %y = %t, %z = %b) : (tensor<4x16xi64>, tensor<4x1xi64>, tensor<16x8xi64>) -> tensor<4x8xi64> {
// CHECK-NEXT:      %q = canao.div %x, %y : (tensor<4x16xi64>, tensor<4x1xi64>) -> tensor<4x16xi64>
// CHECK-NEXT:      %p = canao.matmul %q, %z : (tensor<4x16xi64>, tensor<16x8xi64>) -> tensor<4x8xi64>
// CHECK-NEXT:      canao.yield %p : tensor<4x8xi64>
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return %r : tensor<4x8xi64>
// CHECK-LABEL: func.func @main(%a: tensor<3x16xf32>
// CHECK:           %m = canao.maximum %y, %c
// CHECK-NEXT:      [[F:%.*]] = canao.reciprocal %m : (tensor<3x1xf32>) -> tensor<3x1xf32>
// CHECK-NEXT:      [[P:%.*]] = canao.matmul %x, %z : (tensor<3x16xf32>, tensor<16x8xf32>) -> tensor<3x8xf32>
// CHECK-NEXT:      [[R:%.*]] = canao.mul [[P]], [[F]] : (tensor<3x8xf32>, tensor<3x1xf32>) -> tensor<3x8xf32>
// CHECK-NEXT:      canao.yield [[R]] : tensor<3x8xf32>
