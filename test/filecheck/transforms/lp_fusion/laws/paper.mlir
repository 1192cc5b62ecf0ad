// RUN: canao-opt %s -p lp-fusion | filecheck %s
// RUN: canao-opt %s -p "lp-fusion{exact=true}" | filecheck %s --check-prefix EXACT
// RUN: canao-opt %s -p "lp-fusion{fuse=false}" | filecheck %s --check-prefix APART

// The example of the paper (section 2.2): 4 layers and 5 computations, then 1 layer and 3.

// (X + F) * G + (X + F) * H -> (X + F) * (G + H)
func.func @main(%x: tensor<4x8xf32>, %f: tensor<4x8xf32>, %g: tensor<4x8xf32>, %h: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %s = canao.add %x, %f : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %a = canao.mul %s, %g : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %b = canao.mul %s, %h : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = canao.add %a, %b : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// CHECK-LABEL:   func.func @main(%x: tensor<4x8xf32>, %f: tensor<4x8xf32>, %g: tensor<4x8xf32>, %h: tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:     %0 = canao.layer(%1 = %x, %2 = %f, %3 = %g, %4 = %h) : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:       %5 = canao.add %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       %6 = canao.add %3, %4 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       %r = canao.mul %5, %6 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:       canao.yield %r : tensor<4x8xf32>
// CHECK-NEXT:     }
// CHECK-NEXT:     func.return %0 : tensor<4x8xf32>
// CHECK-NEXT:   }

// EXACT:        func.func @main(%x: tensor<4x8xf32>, %f: tensor<4x8xf32>, %g: tensor<4x8xf32>, %h: tensor<4x8xf32>) -> tensor<4x8xf32> {
// EXACT-NEXT:     %0 = canao.layer(%1 = %x, %2 = %f) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
// EXACT-NEXT:       %s = canao.add %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// EXACT-NEXT:       canao.yield %s : tensor<4x8xf32>
// EXACT-NEXT:     }
// EXACT-NEXT:     %1 = canao.layer(%2 = %0, %3 = %g, %4 = %h) : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
// EXACT-NEXT:       %a = canao.mul %2, %3 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// EXACT-NEXT:       %b = canao.mul %2, %4 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// EXACT-NEXT:       %r = canao.add %a, %b : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// EXACT-NEXT:       canao.yield %r : tensor<4x8xf32>
// EXACT-NEXT:     }
// EXACT-NEXT:     func.return %1 : tensor<4x8xf32>
// EXACT-NEXT:   }

// APART:        func.func @main(%x: tensor<4x8xf32>, %f: tensor<4x8xf32>, %g: tensor<4x8xf32>, %h: tensor<4x8xf32>) -> tensor<4x8xf32> {
// APART-NEXT:     %0 = canao.layer(%1 = %x, %2 = %f) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
// APART-NEXT:       %s = canao.add %1, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// APART-NEXT:       canao.yield %s : tensor<4x8xf32>
// APART-NEXT:     }
// APART-NEXT:     %1 = canao.layer(%2 = %0, %3 = %g) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
// APART-NEXT:       %a = canao.mul %2, %3 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// APART-NEXT:       canao.yield %a : tensor<4x8xf32>
// APART-NEXT:     }
// APART-NEXT:     %2 = canao.layer(%3 = %0, %4 = %h) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
// APART-NEXT:       %b = canao.mul %3, %4 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// APART-NEXT:       canao.yield %b : tensor<4x8xf32>
// APART-NEXT:     }
// APART-NEXT:     %3 = canao.layer(%4 = %1, %5 = %2) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
// APART-NEXT:       %r = canao.add %4, %5 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// APART-NEXT:       canao.yield %r : tensor<4x8xf32>
// APART-NEXT:     }
// APART-NEXT:     func.return %3 : tensor<4x8xf32>
// APART-NEXT:   }
