// RUN: canao-opt %s -p lp-fusion,outline-weights,lower-canao-to-affine | filecheck %s

// A row number from an input is checked, and safe to load with even where the check fails.
func.func @main(%ids: tensor<3xi64>) -> tensor<3x4xf32> {
  %t = canao.weight "t" : tensor<10x4xf32>
  %r = canao.gather %t at %ids : (tensor<10x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  func.return %r : tensor<3x4xf32>
}

// CHECK-LABEL: func.func @prepare() -> tensor<10x4xf32> attributes {canao.names = ["prepared.0"]} {
// CHECK-NEXT:    %t = canao.weight "t" : tensor<10x4xf32>
// CHECK-NEXT:    func.return %t : tensor<10x4xf32>
// CHECK-LABEL: func.func private @kernel_0(%0: memref<40xf32>, %1: memref<3xi64>, %2: memref<12xf32>) attributes {canao.kernel
// CHECK-NEXT:    "affine.parallel"() <{reductions = [], lowerBoundsMap = affine_map<() -> (0, 0)>, lowerBoundsGroups = dense<1> : tensor<2xi32>, upperBoundsMap = affine_map<() -> (3, 1)>, upperBoundsGroups = dense<1> : tensor<2xi32>, steps = [1 : i64, 1 : i64]}> ({
// CHECK-NEXT:    ^bb0(%3: index, %4: index):
// CHECK-NEXT:      %5 = affine.load %1[%3] : memref<3xi64>
// CHECK-NEXT:      %6 = arith.constant 0 : i64
// CHECK-NEXT:      %7 = arith.cmpi sge, %5, %6 : i64
// CHECK-NEXT:      %8 = arith.constant 10 : i64
// CHECK-NEXT:      %9 = arith.cmpi slt, %5, %8 : i64
// CHECK-NEXT:      %10 = arith.andi %7, %9 : i1
// CHECK-NEXT:      cf.assert %10, "index out of range for a table of 10 rows"
// CHECK-NEXT:      %11 = arith.select %10, %5, %6 : i64
// CHECK-NEXT:      %12 = arith.index_cast %11 : i64 to index
// CHECK-NEXT:      %13 = affine.apply affine_map<() -> (0)> ()
// CHECK-NEXT:      %14 = arith.constant 4 : index
// CHECK-NEXT:      %15 = arith.muli %12, %14 : index
// CHECK-NEXT:      %16 = arith.addi %13, %15 : index
// CHECK-NEXT:      %17 = vector.load %0[%16] : memref<40xf32>, vector<4xf32>
// CHECK-NEXT:      affine.vector_store %17, %2[%3 * 4] : memref<12xf32>, vector<4xf32>
// CHECK-NEXT:      affine.yield
// CHECK-NEXT:    }) : () -> ()
// CHECK-NEXT:    func.return
// CHECK-LABEL: func.func @main(%0: memref<3xi64>, %1: memref<40xf32>, %2: memref<12xf32>) attributes {canao.inputs = 1 : i64, canao.weights = 1 : i64, canao.outputs = 1 : i64} {
// CHECK-NEXT:    func.call @kernel_0(%1, %0, %2) : (memref<40xf32>, memref<3xi64>, memref<12xf32>) -> ()
// CHECK-NEXT:    func.return
