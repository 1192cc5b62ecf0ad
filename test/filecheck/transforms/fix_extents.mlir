// RUN: canao-opt %s -p 'fix-extents{sizes="batch=2","rows=3"}' | filecheck %s
// RUN: not canao-opt %s -p 'fix-extents{sizes="batch=2"}' 2>&1 | filecheck %s --check-prefix=MISSING
// RUN: not canao-opt %s -p 'fix-extents{sizes="batch=2","rows=9"}' 2>&1 | filecheck %s --check-prefix=RANGE

// Symbols become numbers, in functions and in layers.
// MISSING: dimension 'rows' has no size; give one from 1 to 8
// RANGE: dimension 'rows' is 9, and must be from 1 to 8
// CHECK-LABEL: func.func @main(%x: tensor<2x3x4xf32>) -> tensor<2x6x4xf32> {
// CHECK-NEXT: canao.layer(%0 = %x) : (tensor<2x3x4xf32>) -> tensor<2x6x4xf32> {
// CHECK-NEXT: canao.concat %{{.*}}, %{{.*}} axis 1 : (tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x6x4xf32>
// CHECK-NOT: canao.extents
func.func @main(%x: tensor<?x?x4xf32, #canao.extents<[batch, rows, 4], batch in 1 to 2, rows in 1 to 8>>) -> tensor<?x?x4xf32, #canao.extents<[batch, rows * 2, 4], batch in 1 to 2, rows in 1 to 8>> {
  %y = canao.layer(%0 = %x) : (tensor<?x?x4xf32, #canao.extents<[batch, rows, 4], batch in 1 to 2, rows in 1 to 8>>) -> tensor<?x?x4xf32, #canao.extents<[batch, rows * 2, 4], batch in 1 to 2, rows in 1 to 8>> {
    %1 = canao.concat %0, %0 axis 1 : (tensor<?x?x4xf32, #canao.extents<[batch, rows, 4], batch in 1 to 2, rows in 1 to 8>>, tensor<?x?x4xf32, #canao.extents<[batch, rows, 4], batch in 1 to 2, rows in 1 to 8>>) -> tensor<?x?x4xf32, #canao.extents<[batch, rows * 2, 4], batch in 1 to 2, rows in 1 to 8>>
    canao.yield %1 : tensor<?x?x4xf32, #canao.extents<[batch, rows * 2, 4], batch in 1 to 2, rows in 1 to 8>>
  }
  func.return %y : tensor<?x?x4xf32, #canao.extents<[batch, rows * 2, 4], batch in 1 to 2, rows in 1 to 8>>
}
