// RUN: not canao-opt %s 2>&1 | filecheck %s

// CHECK: shapes {{.*}}(rows,), (columns,){{.*}} cannot be broadcast together
func.func @main(%x: tensor<?xf32, #canao.extents<[rows], rows in 1 to 3>>, %y: tensor<?xf32, #canao.extents<[columns], columns in 1 to 3>>) -> tensor<?xf32, #canao.extents<[rows], rows in 1 to 3>> {
  %z = canao.add %x, %y : (tensor<?xf32, #canao.extents<[rows], rows in 1 to 3>>, tensor<?xf32, #canao.extents<[columns], columns in 1 to 3>>) -> tensor<?xf32, #canao.extents<[rows], rows in 1 to 3>>
  func.return %z : tensor<?xf32, #canao.extents<[rows], rows in 1 to 3>>
}
