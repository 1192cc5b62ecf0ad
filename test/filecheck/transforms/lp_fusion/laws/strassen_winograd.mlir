// RUN: canao-opt %s --split-input-file -p "lp-fusion{fast=true features=avx512f},outline-weights" | filecheck %s
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

// CHECK-LABEL:     func.func @prepare() -> (tensor<2688x384xf32>, tensor<1x384xf32>, tensor<1x384xf32>) attributes {canao.names = ["prepared.0", "prepared.1", "prepared.2"]} {
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
// CHECK-NEXT:        %8 = canao.concat %0, %2, %5, %4, %3, %6, %7 axis 0 : (tensor<384x384xf32>, tensor<384x384xf32>, tensor<384x384xf32>, tensor<384x384xf32>, tensor<384x384xf32>, tensor<384x384xf32>, tensor<384x384xf32>) -> tensor<2688x384xf32>
// CHECK-NEXT:        %9 = canao.reshape %b : (tensor<768xf32>) -> tensor<1x768xf32>
// CHECK-NEXT:        %10 = canao.slice %9 starts [0, 0] steps [1, 1] : (tensor<1x768xf32>) -> tensor<1x384xf32>
// CHECK-NEXT:        %11 = canao.slice %9 starts [0, 384] steps [1, 1] : (tensor<1x768xf32>) -> tensor<1x384xf32>
// CHECK-NEXT:        func.return %8, %10, %11 : tensor<2688x384xf32>, tensor<1x384xf32>, tensor<1x384xf32>
// CHECK-NEXT:      }
// CHECK-NEXT:      func.func @main(%x: tensor<128x768xf32>) -> tensor<128x768xf32> {
// CHECK-NEXT:        %0 = canao.weight "prepared.0" : tensor<2688x384xf32>
// CHECK-NEXT:        %1 = canao.weight "prepared.1" : tensor<1x384xf32>
// CHECK-NEXT:        %2 = canao.weight "prepared.2" : tensor<1x384xf32>
// CHECK-NEXT:        %3, %4, %5, %6 = canao.layer(%7 = %x) : (tensor<128x768xf32>) -> (tensor<64x384xf32>, tensor<64x384xf32>, tensor<64x384xf32>, tensor<64x384xf32>) {
// CHECK-NEXT:          %8 = canao.slice %7 starts [64, 0] steps [1, 1] : (tensor<128x768xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %9 = canao.slice %7 starts [64, 384] steps [1, 1] : (tensor<128x768xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %10 = canao.add %8, %9 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %11 = canao.slice %7 starts [0, 0] steps [1, 1] : (tensor<128x768xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %12 = canao.sub %10, %11 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %13 = canao.sub %11, %8 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %14 = canao.slice %7 starts [0, 384] steps [1, 1] : (tensor<128x768xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %15 = canao.sub %14, %12 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          canao.yield %10, %12, %13, %15 : tensor<64x384xf32>, tensor<64x384xf32>, tensor<64x384xf32>, tensor<64x384xf32>
// CHECK-NEXT:        }
// CHECK-NEXT:        %7 = canao.layer(%8 = %x, %9 = %0, %10 = %1, %11 = %4, %12 = %3, %13 = %6, %14 = %2, %15 = %5) : (tensor<128x768xf32>, tensor<2688x384xf32>, tensor<1x384xf32>, tensor<64x384xf32>, tensor<64x384xf32>, tensor<64x384xf32>, tensor<1x384xf32>, tensor<64x384xf32>) -> tensor<128x768xf32> {
// CHECK-NEXT:          %16 = canao.slice %8 starts [0, 0] steps [1, 1] : (tensor<128x768xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %17 = canao.slice %9 starts [0, 0] steps [1, 1] : (tensor<2688x384xf32>) -> tensor<384x384xf32>
// CHECK-NEXT:          %18 = canao.matmul %16, %17 : (tensor<64x384xf32>, tensor<384x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %19 = canao.slice %8 starts [0, 384] steps [1, 1] : (tensor<128x768xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %20 = canao.slice %9 starts [384, 0] steps [1, 1] : (tensor<2688x384xf32>) -> tensor<384x384xf32>
// CHECK-NEXT:          %21 = canao.matmul %19, %20 : (tensor<64x384xf32>, tensor<384x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %22 = canao.add %18, %21 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %23 = canao.add %22, %10 : (tensor<64x384xf32>, tensor<1x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %24 = canao.slice %9 starts [768, 0] steps [1, 1] : (tensor<2688x384xf32>) -> tensor<384x384xf32>
// CHECK-NEXT:          %25 = canao.matmul %11, %24 : (tensor<64x384xf32>, tensor<384x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %26 = canao.add %18, %25 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %27 = canao.slice %9 starts [1152, 0] steps [1, 1] : (tensor<2688x384xf32>) -> tensor<384x384xf32>
// CHECK-NEXT:          %28 = canao.matmul %12, %27 : (tensor<64x384xf32>, tensor<384x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %29 = canao.add %26, %28 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %30 = canao.slice %9 starts [1536, 0] steps [1, 1] : (tensor<2688x384xf32>) -> tensor<384x384xf32>
// CHECK-NEXT:          %31 = canao.matmul %13, %30 : (tensor<64x384xf32>, tensor<384x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %32 = canao.add %29, %31 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %33 = canao.add %32, %14 : (tensor<64x384xf32>, tensor<1x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %34 = canao.concat %23, %33 axis 1 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x768xf32>
// CHECK-NEXT:          %35 = canao.slice %9 starts [1920, 0] steps [1, 1] : (tensor<2688x384xf32>) -> tensor<384x384xf32>
// CHECK-NEXT:          %36 = canao.matmul %15, %35 : (tensor<64x384xf32>, tensor<384x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %37 = canao.add %26, %36 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %38 = canao.slice %8 starts [64, 384] steps [1, 1] : (tensor<128x768xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %39 = canao.slice %9 starts [2304, 0] steps [1, 1] : (tensor<2688x384xf32>) -> tensor<384x384xf32>
// CHECK-NEXT:          %40 = canao.matmul %38, %39 : (tensor<64x384xf32>, tensor<384x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %41 = canao.add %37, %40 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %42 = canao.add %41, %10 : (tensor<64x384xf32>, tensor<1x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %43 = canao.add %29, %36 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %44 = canao.add %43, %14 : (tensor<64x384xf32>, tensor<1x384xf32>) -> tensor<64x384xf32>
// CHECK-NEXT:          %45 = canao.concat %42, %44 axis 1 : (tensor<64x384xf32>, tensor<64x384xf32>) -> tensor<64x768xf32>
// CHECK-NEXT:          %r = canao.concat %34, %45 axis 0 : (tensor<64x768xf32>, tensor<64x768xf32>) -> tensor<128x768xf32>
// CHECK-NEXT:          canao.yield %r : tensor<128x768xf32>
// CHECK-NEXT:        }
// CHECK-NEXT:        func.return %7 : tensor<128x768xf32>
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
