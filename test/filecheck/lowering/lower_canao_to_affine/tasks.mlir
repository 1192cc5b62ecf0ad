// RUN: canao-opt %s -p lp-fusion,outline-weights,expand-composites,lower-canao-to-affine{threads=2} | filecheck %s

// Rows are split among two threads as evenly as can be: 9 and 8. A branch on the
// number of the task picks the code of one size. What stays between the stages of
// a task is in scratch memory, as large as the larger task needs.
func.func @main(%x: tensor<17x4xf32>) -> tensor<17x4xf32> {
  %w = canao.weight "w" : tensor<4x4xf32>
  %r = canao.matmul %x, %w : (tensor<17x4xf32>, tensor<4x4xf32>) -> tensor<17x4xf32>
  %s = canao.softmax %r axis 1 : (tensor<17x4xf32>) -> tensor<17x4xf32>
  func.return %s : tensor<17x4xf32>
}

// CHECK-LABEL: func.func private @linear_reduce_max_reduce_sum_4x4(%input: memref<68xf32>, %packed_weight: memref<16xf32>, %output: memref<68xf32>)
// CHECK:         upperBoundsMap = affine_map<() -> (2)>
// CHECK-NEXT:    ^bb0([[TASK:%row_block]]: index):
// CHECK-NEXT:      [[ROWS:%.*]] = memref.alloca() {alignment = 64 : i64} : memref<36xf32>
// CHECK-NEXT:      [[LARGEST:%.*]] = memref.alloca() {alignment = 64 : i64} : memref<9xf32>
// CHECK-NEXT:      [[POWERS:%.*]] = memref.alloca() {alignment = 64 : i64} : memref<36xf32>
// CHECK-NEXT:      [[SUMS:%.*]] = memref.alloca() {alignment = 64 : i64} : memref<9xf32>
// CHECK-NEXT:      [[END:%.*]] = arith.constant 1 : index
// CHECK-NEXT:      [[FIRST:%.*]] = arith.cmpi slt, [[TASK]], [[END]] : index
// CHECK-NEXT:      scf.if [[FIRST]] {
// CHECK:             affine.vector_store %{{.*}}, [[ROWS]][32] : memref<36xf32>, vector<4xf32>
// CHECK:             affine.for [[ROW:%.*]] = 0 to 9 {
// CHECK:             affine.vector_store %{{.*}}, %output[%{{.*}} * 4] : memref<68xf32>, vector<4xf32>
// CHECK:           } else {
// CHECK:             affine.vector_store %{{.*}}, [[ROWS]][28] : memref<36xf32>, vector<4xf32>
// CHECK:             affine.for [[ROW:%.*]] = 0 to 8 {
// CHECK:             affine.vector_store %{{.*}}, %output[%{{.*}} * 4 + 36] : memref<68xf32>, vector<4xf32>
// CHECK:           }
