// RUN: canao-opt %s | canao-opt | filecheck %s
// RUN: canao-opt --print-op-generic %s | canao-opt | filecheck %s

// Extents that are known when a model runs: sums of products of symbols, each with its range.
// CHECK-LABEL: @main
// CHECK-SAME: %x: tensor<?x?x8xf32, #canao.extents<[batch, rows, 8], batch in 1 to 4, rows in 2 to 9>>
// CHECK-SAME: %y: tensor<?xf32, #canao.extents<[rows * 2 + 1], rows in 2 to 9>>
// CHECK-SAME: %w: tensor<?xf32, #canao.extents<[rows + -1], rows in 2 to 9>>
// CHECK-SAME: %z: tensor<?xi1, #canao.extents<["in" * "two words" * 3], "in" in 1 to 2, "two words" in 1 to 3>>
func.func @main(
    %x: tensor<?x?x8xf32, #canao.extents<[batch, rows, 8], rows in 2 to 9, batch in 1 to 4>>,
    %y: tensor<?xf32, #canao.extents<[1 + rows * 2], rows in 2 to 9>>,
    %w: tensor<?xf32, #canao.extents<[rows + -1], rows in 2 to 9>>,
    %z: tensor<?xi1, #canao.extents<[3 * "two words" * "in"], "in" in 1 to 2, "two words" in 1 to 3>>)
    -> tensor<?x8xf32, #canao.extents<[batch * rows, 8], batch in 1 to 4, rows in 2 to 9>> {
  // CHECK: canao.reshape %x : {{.*}} -> tensor<?x8xf32, #canao.extents<[batch * rows, 8], batch in 1 to 4, rows in 2 to 9>>
  %r = canao.reshape %x : (tensor<?x?x8xf32, #canao.extents<[batch, rows, 8], batch in 1 to 4, rows in 2 to 9>>) -> tensor<?x8xf32, #canao.extents<[batch * rows, 8], batch in 1 to 4, rows in 2 to 9>>
  func.return %r : tensor<?x8xf32, #canao.extents<[batch * rows, 8], batch in 1 to 4, rows in 2 to 9>>
}
