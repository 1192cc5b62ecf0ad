// RUN: canao-opt %s -p "lp-fusion,outline-weights,name-layers,collapse-rows,lower-canao-to-affine" | filecheck %s
// RUN: canao-opt %s -p "lp-fusion,outline-weights,name-layers,collapse-rows,lower-canao-to-affine,plan-memory" -t c | filecheck %s --check-prefix=C

// A kernel of rows that are counted when it runs reads the sizes, and splits rows into tiles of
// the schedule's size, then of half of it, and so on. Strides are those of the largest sizes.
// CHECK-LABEL: func.func private @linear_8x12
// CHECK-SAME: %sizes: memref<2xi64>
// CHECK: affine.load %sizes[0] : memref<2xi64>
// CHECK: affine.load %sizes[1] : memref<2xi64>
// CHECK: affine.parallel
// CHECK: affine.for %row_tile = 0 to
// CHECK: affine.for %row = 0 to
// CHECK-LABEL: func.func @main(%{{.*}}: memref<512xf32>, %{{.*}}: memref<2xi64>

// C: long linear_8x12_tasks(
// C: static long canao_count_0(void *ctx)
// C: {canao_step_0, 1, canao_count_0},
func.func @main(%x: tensor<?x?x8xf32, #canao.extents<[batch, rows, 8], batch in 1 to 2, rows in 1 to 20>>) -> tensor<?x?x12xf32, #canao.extents<[batch, rows, 12], batch in 1 to 2, rows in 1 to 20>> {
  %w = canao.weight "w" : tensor<8x12xf32>
  %y = canao.matmul %x, %w : (tensor<?x?x8xf32, #canao.extents<[batch, rows, 8], batch in 1 to 2, rows in 1 to 20>>, tensor<8x12xf32>) -> tensor<?x?x12xf32, #canao.extents<[batch, rows, 12], batch in 1 to 2, rows in 1 to 20>>
  func.return %y : tensor<?x?x12xf32, #canao.extents<[batch, rows, 12], batch in 1 to 2, rows in 1 to 20>>
}
