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
// CHECK-LABEL: func.func private @embedding_4(%table: memref<40xf32>, %indices: memref<3xi64>, %output: memref<12xf32>) attributes {canao.kernel
// CHECK-NEXT:    "affine.parallel"() <{reductions = [], lowerBoundsMap = affine_map<() -> (0, 0)>, lowerBoundsGroups = dense<1> : tensor<2xi32>, upperBoundsMap = affine_map<() -> (3, 1)>, upperBoundsGroups = dense<1> : tensor<2xi32>, steps = [1 : i64, 1 : i64]}> ({
// CHECK-NEXT:    ^bb0(%row: index, %column_block: index):
// CHECK-NEXT:      %0 = affine.load %indices[%row] : memref<3xi64>
// CHECK-NEXT:      %1 = arith.constant 0 : i64
// CHECK-NEXT:      %2 = arith.cmpi sge, %0, %1 : i64
// CHECK-NEXT:      %3 = arith.constant 10 : i64
// CHECK-NEXT:      %4 = arith.cmpi slt, %0, %3 : i64
// CHECK-NEXT:      %5 = arith.andi %2, %4 : i1
// CHECK-NEXT:      cf.assert %5, "index out of range for a table of 10 rows"
// CHECK-NEXT:      %6 = arith.select %5, %0, %1 : i64
// CHECK-NEXT:      %7 = arith.index_cast %6 : i64 to index
// CHECK-NEXT:      %8 = affine.apply affine_map<() -> (0)> ()
// CHECK-NEXT:      %9 = arith.constant 4 : index
// CHECK-NEXT:      %10 = arith.muli %7, %9 : index
// CHECK-NEXT:      %11 = arith.addi %8, %10 : index
// CHECK-NEXT:      %12 = vector.load %table[%11] : memref<40xf32>, vector<4xf32>
// CHECK-NEXT:      affine.vector_store %12, %output[%row * 4] : memref<12xf32>, vector<4xf32>
// CHECK-NEXT:      affine.yield
// CHECK-NEXT:    }) : () -> ()
// CHECK-NEXT:    func.return
// CHECK-LABEL: func.func @main(%0: memref<3xi64>, %1: memref<40xf32>, %2: memref<12xf32>) attributes {canao.inputs = 1 : i64, canao.weights = 1 : i64, canao.outputs = 1 : i64} {
// CHECK-NEXT:    func.call @embedding_4(%1, %0, %2) : (memref<40xf32>, memref<3xi64>, memref<12xf32>) -> ()
// CHECK-NEXT:    func.return
