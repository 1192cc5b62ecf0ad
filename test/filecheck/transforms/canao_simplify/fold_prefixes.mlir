// RUN: canao-opt %s -p canao-simplify | filecheck %s

// What is computed of a constant that is cut to a length known later is known at its longest; a
// lookup at the first places is a slice.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: %{{.*}} = canao.slice %table starts [0, 0] steps [1, 1] : (tensor<4x6xf32>) -> tensor<?x6xf32, #canao.extents<[rows, 6], rows in 1 to 4>>
// CHECK-NEXT: canao.add
// CHECK-NEXT: func.return
func.func @main(%x: tensor<?x6xf32, #canao.extents<[rows, 6], rows in 1 to 4>>, %table: tensor<4x6xf32>) -> tensor<?x6xf32, #canao.extents<[rows, 6], rows in 1 to 4>> {
  %c = canao.constant dense<[-1, 0, 1, 2]> : tensor<4xi64>
  %n = canao.slice %c starts [0] steps [1] : (tensor<4xi64>) -> tensor<?xi64, #canao.extents<[rows], rows in 1 to 4>>
  %one = canao.constant dense<1> : tensor<i64>
  %m = canao.add %n, %one : (tensor<?xi64, #canao.extents<[rows], rows in 1 to 4>>, tensor<i64>) -> tensor<?xi64, #canao.extents<[rows], rows in 1 to 4>>
  %g = canao.gather %table at %m : (tensor<4x6xf32>, tensor<?xi64, #canao.extents<[rows], rows in 1 to 4>>) -> tensor<?x6xf32, #canao.extents<[rows, 6], rows in 1 to 4>>
  %y = canao.add %x, %g : (tensor<?x6xf32, #canao.extents<[rows, 6], rows in 1 to 4>>, tensor<?x6xf32, #canao.extents<[rows, 6], rows in 1 to 4>>) -> tensor<?x6xf32, #canao.extents<[rows, 6], rows in 1 to 4>>
  func.return %y : tensor<?x6xf32, #canao.extents<[rows, 6], rows in 1 to 4>>
}
