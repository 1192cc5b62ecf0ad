// RUN: canao-opt %s --split-input-file -p "lp-fusion{fast=true lanes=16},outline-weights" | filecheck %s
// RUN: canao-opt %s --split-input-file -p lp-fusion | filecheck %s --check-prefix PLAIN
// RUN: canao-opt %s --split-input-file -p "lp-fusion{exact=true}" | filecheck %s --check-prefix PLAIN

// x @ w + b -> the quarters of x @ w + b, from 7 products; sums of quarters of w are made ahead of time.
func.func @main(%x: tensor<128x768xf32>) -> tensor<128x768xf32> {
  %w = canao.weight "w" : tensor<768x768xf32>
  %b = canao.weight "b" : tensor<768xf32>
  %p = canao.matmul %x, %w : (tensor<128x768xf32>, tensor<768x768xf32>) -> tensor<128x768xf32>
  %r = canao.add %p, %b : (tensor<128x768xf32>, tensor<768xf32>) -> tensor<128x768xf32>
  func.return %r : tensor<128x768xf32>
}

// CHECK-LABEL:     func.func @prepare() -> (tensor<384x384xf32>, tensor<384x384xf32>, tensor<1x384xf32>, tensor<384x384xf32>, tensor<384x384xf32>, tensor<384x384xf32>, tensor<1x384xf32>, tensor<384x384xf32>, tensor<384x384xf32>) attributes {canao.names = ["prepared.0", "prepared.1", "prepared.2", "prepared.3", "prepared.4", "prepared.5", "prepared.6", "prepared.7", "prepared.8"]} {
// CHECK-NEXT:        %w = canao.weight "w" : tensor<768x768xf32>
// CHECK-NEXT:        %b = canao.weight "b" : tensor<768xf32>
// CHECK-NEXT:        %0 = canao.slice %w starts [0, 0] steps [1, 1] : (tensor<768x768xf32>) -> tensor<384x384xf32>
// CHECK-NEXT:        %1 = canao.slice %w starts [0, 384] steps [1, 1] : (tensor<768x768xf32>) -> tensor<384x384xf32>
// CHECK-NEXT:        %2 = canao.slice %w starts [384, 0] steps [1, 1] : (tensor<768x768xf32>) -> tensor<384x384xf32>
// CHECK-NEXT:        %3 = canao.slice %w starts [384, 384] steps [1, 1] : (tensor<768x768xf32>) -> tensor<384x384xf32>
// CHECK-NEXT:        %4 = canao.sub %1, %0 : (tensor<384x384xf32>, tensor<384x384xf32>) -> tensor<384x384xf32>
// CHECK-NEXT:        %5 = canao.sub %3, %4 : (tensor<384x384xf32>, tensor<384x384xf32>) -> tensor<384x384xf32>
// CHECK-NEXT:        %6 = canao.sub %3, %1 : (tensor<384x384xf32>, tensor<384x384xf32>) -> tensor<384x384xf32>
// CHECK-NEXT:        %7 = canao.sub %2, %5 : (tensor<384x384xf32>, tensor<384x384xf32>) -> tensor<384x384xf32>
// CHECK-NEXT:        %8 = canao.reshape %b : (tensor<768xf32>) -> tensor<1x768xf32>
// CHECK-NEXT:        %9 = canao.slice %8 starts [0, 0] steps [1, 1] : (tensor<1x768xf32>) -> tensor<1x384xf32>
// CHECK-NEXT:        %10 = canao.slice %8 starts [0, 384] steps [1, 1] : (tensor<1x768xf32>) -> tensor<1x384xf32>
// CHECK-NEXT:        func.return %0, %2, %9, %5, %4, %3, %10, %6, %7 : tensor<384x384xf32>, tensor<384x384xf32>, tensor<1x384xf32>, tensor<384x384xf32>, tensor<384x384xf32>, tensor<384x384xf32>, tensor<1x384xf32>, tensor<384x384xf32>, tensor<384x384xf32>
// CHECK-NEXT:      }
// CHECK-NEXT:      func.func @main(%x: tensor<128x768xf32>) -> tensor<128x768xf32> {
// CHECK-NEXT:        %0 = canao.weight "prepared.0" : tensor<384x384xf32>
// CHECK-NEXT:        %1 = canao.weight "prepared.1" : tensor<384x384xf32>
// CHECK-NEXT:        %2 = canao.weight "prepared.2" : tensor<1x384xf32>
// CHECK-NEXT:        %3 = canao.weight "prepared.3" : tensor<384x384xf32>
// CHECK-NEXT:        %4 = canao.weight "prepared.4" : tensor<384x384xf32>
// CHECK-NEXT:        %5 = canao.weight "prepared.5" : tensor<384x384xf32>
// CHECK-NEXT:        %6 = canao.weight "prepared.6" : tensor<1x384xf32>
// CHECK-NEXT:        %7 = canao.weight "prepared.7" : tensor<384x384xf32>
// CHECK-NEXT:        %8 = canao.weight "prepared.8" : tensor<384x384xf32>
// CHECK-NEXT:        %9, %10, %11, %12 = canao.layer(%13 = %x) : (tensor<128x768xf32>) -> (tensor<64x384xf32>, tensor<64x384xf32>, tensor<64x384xf32>, tensor<64x384xf32>) {
// CHECK-NEXT:          %14 = canao.slice %13 starts [64, 0] steps [1, 1] : (tensor<128x768xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %15 = canao.slice %13 starts [64, 384] steps [1, 1] : (tensor<128x768xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %16 = canao.add %14, %15 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %17 = canao.slice %13 starts [0, 0] steps [1, 1] : (tensor<128x768xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %18 = canao.sub %16, %17 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %19 = canao.sub %17, %14 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %20 = canao.slice %13 starts [0, 384] steps [1, 1] : (tensor<128x768xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %21 = canao.sub %20, %18 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          canao.yield %16, %18, %19, %21 : tensor<64x384xf32>, tensor<64x384xf32>, tensor<64x384xf32>, tensor<64x384xf32>
// CHECK-NEXT:        }
// CHECK-NEXT:        %13 = canao.layer(%14 = %x, %15 = %0, %16 = %1, %17 = %2, %18 = %10, %19 = %3, %20 = %9, %21 = %4, %22 = %12, %23 = %5, %24 = %6, %25 = %11, %26 = %7, %27 = %8) : (tensor<128x768xf32>, tensor<384x384xf32>, tensor<384x384xf32>, tensor<1x384xf32>, tensor<64x384xf32>, tensor<384x384xf32>, tensor<64x384xf32>, tensor<384x384xf32>, tensor<64x384xf32>, tensor<384x384xf32>, tensor<1x384xf32>, tensor<64x384xf32>, tensor<384x384xf32>, tensor<384x384xf32>) -> tensor<128x768xf32> {
// CHECK-NEXT:          %28 = canao.slice %14 starts [0, 0] steps [1, 1] : (tensor<128x768xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %29 = canao.matmul %28, %15 : (tensor<64x384xf32>, tensor<384x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %30 = canao.slice %14 starts [0, 384] steps [1, 1] : (tensor<128x768xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %31 = canao.matmul %30, %16 : (tensor<64x384xf32>, tensor<384x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %32 = canao.add %29, %31 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %33 = canao.add %32, %17 : (tensor<64x384xf32>, tensor<1x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %34 = canao.matmul %18, %19 : (tensor<64x384xf32>, tensor<384x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %35 = canao.add %29, %34 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %36 = canao.matmul %20, %21 : (tensor<64x384xf32>, tensor<384x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %37 = canao.add %35, %36 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %38 = canao.matmul %22, %23 : (tensor<64x384xf32>, tensor<384x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %39 = canao.add %37, %38 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %40 = canao.add %39, %24 : (tensor<64x384xf32>, tensor<1x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %41 = canao.concat %33, %40 axis 1 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x768xf32>
// CHECK-NEXT:          %42 = canao.matmul %25, %26 : (tensor<64x384xf32>, tensor<384x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %43 = canao.add %35, %42 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %44 = canao.slice %14 starts [64, 384] steps [1, 1] : (tensor<128x768xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %45 = canao.matmul %44, %27 : (tensor<64x384xf32>, tensor<384x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %46 = canao.add %43, %45 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %47 = canao.add %46, %17 : (tensor<64x384xf32>, tensor<1x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %48 = canao.add %37, %42 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %49 = canao.add %48, %24 : (tensor<64x384xf32>, tensor<1x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %50 = canao.concat %47, %49 axis 1 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x768xf32>
// CHECK-NEXT:          %r = canao.concat %41, %50 axis 0 : (tensor<64x768xf32>, tensor<64x768xf32>) -> tensor<128x768xf32>
// CHECK-NEXT:          canao.yield %r : tensor<128x768xf32>
// CHECK-NEXT:        }
// CHECK-NEXT:        func.return %13 : tensor<128x768xf32>
// CHECK-NEXT:      }

// PLAIN-LABEL: func.func @main
// PLAIN:         canao.matmul
// PLAIN-NOT:     canao.matmul
// PLAIN:         func.return

// -----

// With so few rows, time goes into reading the weight: the product stays.
func.func @main(%x: tensor<16x768xf32>) -> tensor<16x768xf32> {
  %w = canao.weight "w" : tensor<768x768xf32>
  %r = canao.matmul %x, %w : (tensor<16x768xf32>, tensor<768x768xf32>) -> tensor<16x768xf32>
  func.return %r : tensor<16x768xf32>
}

// CHECK-LABEL:     func.func @prepare() -> tensor<768x768xf32> attributes {canao.names = ["prepared.0"]} {
// CHECK-NEXT:        %w = canao.weight "w" : tensor<768x768xf32>
// CHECK-NEXT:        func.return %w : tensor<768x768xf32>
// CHECK-NEXT:      }
// CHECK-NEXT:      func.func @main(%x: tensor<16x768xf32>) -> tensor<16x768xf32> {
// CHECK-NEXT:        %w = canao.weight "prepared.0" : tensor<768x768xf32>
// CHECK-NEXT:        %0 = canao.layer(%1 = %x, %2 = %w) : (tensor<16x768xf32>, tensor<768x768xf32>) -> tensor<16x768xf32> {
// CHECK-NEXT:          %r = canao.matmul %1, %2 : (tensor<16x768xf32>, tensor<768x768xf32>) -> tensor<16x768xf32>
// CHECK-NEXT:          canao.yield %r : tensor<16x768xf32>
// CHECK-NEXT:        }
// CHECK-NEXT:        func.return %0 : tensor<16x768xf32>
// CHECK-NEXT:      }

// PLAIN-LABEL: func.func @main
// PLAIN:         canao.matmul
// PLAIN-NOT:     canao.matmul
// PLAIN:         func.return

// -----

// An odd number of rows has no halves.
func.func @main(%x: tensor<127x768xf32>) -> tensor<127x768xf32> {
  %w = canao.weight "w" : tensor<768x768xf32>
  %r = canao.matmul %x, %w : (tensor<127x768xf32>, tensor<768x768xf32>) -> tensor<127x768xf32>
  func.return %r : tensor<127x768xf32>
}

// CHECK-LABEL:     func.func @prepare() -> tensor<768x768xf32> attributes {canao.names = ["prepared.0"]} {
// CHECK-NEXT:        %w = canao.weight "w" : tensor<768x768xf32>
// CHECK-NEXT:        func.return %w : tensor<768x768xf32>
// CHECK-NEXT:      }
// CHECK-NEXT:      func.func @main(%x: tensor<127x768xf32>) -> tensor<127x768xf32> {
// CHECK-NEXT:        %w = canao.weight "prepared.0" : tensor<768x768xf32>
// CHECK-NEXT:        %0 = canao.layer(%1 = %x, %2 = %w) : (tensor<127x768xf32>, tensor<768x768xf32>) -> tensor<127x768xf32> {
// CHECK-NEXT:          %r = canao.matmul %1, %2 : (tensor<127x768xf32>, tensor<768x768xf32>) -> tensor<127x768xf32>
// CHECK-NEXT:          canao.yield %r : tensor<127x768xf32>
// CHECK-NEXT:        }
// CHECK-NEXT:        func.return %0 : tensor<127x768xf32>
// CHECK-NEXT:      }

// PLAIN-LABEL: func.func @main
// PLAIN:         canao.matmul
// PLAIN-NOT:     canao.matmul
// PLAIN:         func.return

// -----

// Nothing is known ahead of time about the right operand.
func.func @main(%x: tensor<128x768xf32>, %y: tensor<768x768xf32>) -> tensor<128x768xf32> {
  %r = canao.matmul %x, %y : (tensor<128x768xf32>, tensor<768x768xf32>) -> tensor<128x768xf32>
  func.return %r : tensor<128x768xf32>
}

// CHECK-LABEL:     func.func @prepare() attributes {canao.names = []} {
// CHECK-NEXT:        func.return
// CHECK-NEXT:      }
// CHECK-NEXT:      func.func @main(%x: tensor<128x768xf32>, %y: tensor<768x768xf32>) -> tensor<128x768xf32> {
// CHECK-NEXT:        %0 = canao.layer(%1 = %x, %2 = %y) : (tensor<128x768xf32>, tensor<768x768xf32>) -> tensor<128x768xf32> {
// CHECK-NEXT:          %r = canao.matmul %1, %2 : (tensor<128x768xf32>, tensor<768x768xf32>) -> tensor<128x768xf32>
// CHECK-NEXT:          canao.yield %r : tensor<128x768xf32>
// CHECK-NEXT:        }
// CHECK-NEXT:        func.return %0 : tensor<128x768xf32>
// CHECK-NEXT:      }

// PLAIN-LABEL: func.func @main
// PLAIN:         canao.matmul
// PLAIN-NOT:     canao.matmul
// PLAIN:         func.return
