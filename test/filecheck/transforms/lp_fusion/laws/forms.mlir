// RUN: canao-opt %s --split-input-file -p lp-fusion | filecheck %s

// Laws, one a module; the last ones only look like laws and stay.

// Shared factors three wide, in any order, one term subtracted: X * G + H * X - X * K.
func.func @main(%x: tensor<4x8xf32>, %g: tensor<4x8xf32>, %h: tensor<4x8xf32>, %k: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %1 = canao.mul %x, %g : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = canao.mul %h, %x : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %3 = canao.mul %x, %k : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %4 = canao.add %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = canao.sub %4, %3 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// CHECK-LABEL:   func.func @main(%x: tensor<4x8xf32>, %g: tensor<4x8xf32>, %h: tensor<4x8xf32>, %k: tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:     %0 = canao.layer(%1 = %g, %2 = %h, %3 = %k, %4 = %x) : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:       %5 = canao.add %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       %6 = canao.sub %5, %3 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       %r = canao.mul %4, %6 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       canao.yield %r : tensor<4x8xf32>
// CHECK-NEXT:     }
// CHECK-NEXT:     func.return %0 : tensor<4x8xf32>
// CHECK-NEXT:   }

// -----

// Nested: (A * B + A * C) + A * D.
func.func @main(%a: tensor<4x8xf32>, %b: tensor<4x8xf32>, %c: tensor<4x8xf32>, %d: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %1 = canao.mul %a, %b : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = canao.mul %a, %c : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %3 = canao.add %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %4 = canao.mul %a, %d : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = canao.add %3, %4 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// CHECK-LABEL:   func.func @main(%a: tensor<4x8xf32>, %b: tensor<4x8xf32>, %c: tensor<4x8xf32>, %d: tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:     %0 = canao.layer(%1 = %b, %2 = %c, %3 = %d, %4 = %a) : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:       %5 = canao.add %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       %6 = canao.add %5, %3 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       %r = canao.mul %4, %6 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       canao.yield %r : tensor<4x8xf32>
// CHECK-NEXT:     }
// CHECK-NEXT:     func.return %0 : tensor<4x8xf32>
// CHECK-NEXT:   }

// -----

// A common divisor: X / C + Y / C.
func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %c: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %1 = canao.div %x, %c : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = canao.div %y, %c : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = canao.add %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// CHECK-LABEL:   func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %c: tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:     %0 = canao.layer(%1 = %x, %2 = %y, %3 = %c) : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:       %4 = canao.add %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       %r = canao.div %4, %3 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       canao.yield %r : tensor<4x8xf32>
// CHECK-NEXT:     }
// CHECK-NEXT:     func.return %0 : tensor<4x8xf32>
// CHECK-NEXT:   }

// -----

// A factor that is the same along the axis comes out of a sum over it.
func.func @main(%x: tensor<4x8xf32>, %s: tensor<8xf32>) -> tensor<1x8xf32> {
  %1 = canao.mul %x, %s : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %r = canao.reduce_sum %1 axes [0] : (tensor<4x8xf32>) -> tensor<1x8xf32>
  func.return %r : tensor<1x8xf32>
}

// CHECK-LABEL:   func.func @main(%x: tensor<4x8xf32>, %s: tensor<8xf32>) -> tensor<1x8xf32> {
// CHECK-NEXT:     %0 = canao.layer(%1 = %x, %2 = %s) : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<1x8xf32> {
// CHECK-NEXT:       %3 = canao.reduce_sum %1 axes [0] : (tensor<4x8xf32>) -> tensor<1x8xf32>
// CHECK-NEXT:       %r = canao.mul %2, %3 : (tensor<8xf32>, tensor<1x8xf32>) -> tensor<1x8xf32>
// CHECK-NEXT:       canao.yield %r : tensor<1x8xf32>
// CHECK-NEXT:     }
// CHECK-NEXT:     func.return %0 : tensor<1x8xf32>
// CHECK-NEXT:   }

// -----

// Two products of one input are one; the weights are added ahead of time.
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %v = canao.weight "v" : tensor<8x8xf32>
  %w = canao.weight "w" : tensor<8x8xf32>
  %1 = canao.matmul %x, %v : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %2 = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %r = canao.add %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// CHECK-LABEL:   func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:     %v = canao.weight "v" : tensor<8x8xf32>
// CHECK-NEXT:     %w = canao.weight "w" : tensor<8x8xf32>
// CHECK-NEXT:     %0 = canao.add %v, %w : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
// CHECK-NEXT:     %1 = canao.layer(%2 = %x, %3 = %0) : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:       %r = canao.matmul %2, %3 : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       canao.yield %r : tensor<4x8xf32>
// CHECK-NEXT:     }
// CHECK-NEXT:     func.return %1 : tensor<4x8xf32>
// CHECK-NEXT:   }

// -----

// Nothing in common: X * G + Y * H.
func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %g: tensor<4x8xf32>, %h: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %1 = canao.mul %x, %g : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = canao.mul %y, %h : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = canao.add %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// CHECK-LABEL:   func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %g: tensor<4x8xf32>, %h: tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:     %0 = canao.layer(%1 = %x, %2 = %g, %3 = %y, %4 = %h) : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:       %5 = canao.mul %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       %6 = canao.mul %3, %4 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       %r = canao.add %5, %6 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       canao.yield %r : tensor<4x8xf32>
// CHECK-NEXT:     }
// CHECK-NEXT:     func.return %0 : tensor<4x8xf32>
// CHECK-NEXT:   }

// -----

// A maximum is no sum: max(X * G, X * H).
func.func @main(%x: tensor<4x8xf32>, %g: tensor<4x8xf32>, %h: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %1 = canao.mul %x, %g : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = canao.mul %x, %h : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = canao.maximum %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// CHECK-LABEL:   func.func @main(%x: tensor<4x8xf32>, %g: tensor<4x8xf32>, %h: tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:     %0 = canao.layer(%1 = %x, %2 = %g, %3 = %h) : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:       %4 = canao.mul %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       %5 = canao.mul %1, %3 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       %r = canao.maximum %4, %5 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       canao.yield %r : tensor<4x8xf32>
// CHECK-NEXT:     }
// CHECK-NEXT:     func.return %0 : tensor<4x8xf32>
// CHECK-NEXT:   }

// -----

// Division does not distribute over its divisor: X / G + X / H.
func.func @main(%x: tensor<4x8xf32>, %g: tensor<4x8xf32>, %h: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %1 = canao.div %x, %g : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = canao.div %x, %h : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = canao.add %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// CHECK-LABEL:   func.func @main(%x: tensor<4x8xf32>, %g: tensor<4x8xf32>, %h: tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:     %0 = canao.layer(%1 = %x, %2 = %g, %3 = %h) : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:       %4 = canao.div %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       %5 = canao.div %1, %3 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       %r = canao.add %4, %5 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       canao.yield %r : tensor<4x8xf32>
// CHECK-NEXT:     }
// CHECK-NEXT:     func.return %0 : tensor<4x8xf32>
// CHECK-NEXT:   }

// -----

// Infinity less infinity is not 0: X - X.
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %r = canao.sub %x, %x : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// CHECK-LABEL:   func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:     %0 = canao.layer(%1 = %x) : (tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:       %r = canao.sub %1, %1 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       canao.yield %r : tensor<4x8xf32>
// CHECK-NEXT:     }
// CHECK-NEXT:     func.return %0 : tensor<4x8xf32>
// CHECK-NEXT:   }
