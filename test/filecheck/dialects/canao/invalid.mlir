// RUN: canao-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// What the verifier refuses, and what it says.
func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8xf32>) {
  %r = canao.add %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<8x4xf32>
  func.return
}

// CHECK: result must have the broadcast shape (4, 8)

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<7xf32>) {
  %r = canao.add %x, %y : (tensor<4x8xf32>, tensor<7xf32>) -> tensor<4x8xf32>
  func.return
}

// CHECK: shapes [(4, 8), (7,)] cannot be broadcast together

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8xf64>) {
  %r = canao.add %x, %y : (tensor<4x8xf32>, tensor<8xf64>) -> tensor<4x8xf32>
  func.return
}

// CHECK: operands must have one element type, got f32 and f64

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8xf32>) {
  %r = canao.add %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf64>
  func.return
}

// CHECK: result elements must be f32, not f64

// -----

func.func @bad(%x: tensor<8xf32>, %y: tensor<8xf32>) {
  %r = canao.cmp "near" %x, %y : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xi1>
  func.return
}

// CHECK: predicate must be one of eq, ne, lt, le, gt, ge

// -----

func.func @bad(%x: tensor<8xf32>, %y: tensor<8xf32>) {
  %r = canao.cmp "lt" %x, %y : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  func.return
}

// CHECK: result elements must be i1, not f32

// -----

func.func @bad(%x: tensor<8xf32>, %y: tensor<8xf32>) {
  %r = canao.cast %x : (tensor<8xf32>) -> tensor<4xf64>
  func.return
}

// CHECK: a cast keeps the shape

// -----

func.func @bad(%x: tensor<8xf32>, %y: tensor<8xf32>) {
  %r = canao.select %x, %y, %y : (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  func.return
}

// CHECK: the condition must hold i1 elements

// -----

func.func @bad(%x: tensor<8xi1>, %y: tensor<8xf32>) {
  %r = canao.select %x, %y, %x : (tensor<8xi1>, tensor<8xf32>, tensor<8xi1>) -> tensor<8xi1>
  func.return
}

// CHECK: both branches must have one element type

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8xf32>) {
  %r = canao.reduce_sum %x axes [1, 0] : (tensor<4x8xf32>) -> tensor<1x1xf32>
  func.return
}

// CHECK: axes [1, 0] must ascend within rank 2

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8xf32>) {
  %r = canao.reduce_sum %x axes [2] : (tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return
}

// CHECK: axes [2] must ascend within rank 2

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8xf32>) {
  %r = canao.reduce_max %x axes [1] : (tensor<4x8xf32>) -> tensor<4xf32>
  func.return
}

// CHECK: result must have shape (4, 1): reduced axes keep length 1

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8xf32>) {
  %r = canao.reduce_max %x axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf64>
  func.return
}

// CHECK: a reduction keeps the element type

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<7x4xf32>) {
  %r = canao.matmul %x, %y : (tensor<4x8xf32>, tensor<7x4xf32>) -> tensor<4x4xf32>
  func.return
}

// CHECK: inner extents differ: (4, 8) and (7, 4)

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8xf32>) {
  %r = canao.matmul %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4xf32>
  func.return
}

// CHECK: operands need rank 2 or more, got shapes (4, 8) and (8,)

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8x2xf32>) {
  %r = canao.matmul %x, %y : (tensor<4x8xf32>, tensor<8x2xf32>) -> tensor<2x4xf32>
  func.return
}

// CHECK: result must have shape (4, 2)

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8x2xf64>) {
  %r = canao.matmul %x, %y : (tensor<4x8xf32>, tensor<8x2xf64>) -> tensor<4x2xf32>
  func.return
}

// CHECK: operands and result must have one element type

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8xf32>) {
  %r = canao.transpose %x [0, 0] : (tensor<4x8xf32>) -> tensor<4x4xf32>
  func.return
}

// CHECK: [0, 0] is no permutation of rank 2

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8xf32>) {
  %r = canao.transpose %x [1, 0] : (tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return
}

// CHECK: result must have shape [8, 4]

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8xf32>) {
  %r = canao.reshape %x : (tensor<4x8xf32>) -> tensor<5x8xf32>
  func.return
}

// CHECK: (4, 8) and (5, 8) hold different numbers of elements

// -----

func.func @bad(%x: tensor<8xf32>, %y: tensor<8xf32>) {
  %r = canao.reshape %x : (tensor<8xf32>) -> tensor<8xf64>
  func.return
}

// CHECK: the element type must not change

// -----

func.func @bad(%x: tensor<8xf32>, %y: tensor<8xf32>) {
  %r = canao.slice %x starts [5] steps [1] : (tensor<8xf32>) -> tensor<4xf32>
  func.return
}

// CHECK: slice from 5 by 1 of 4 leaves an extent of 8

// -----

func.func @bad(%x: tensor<8xf32>, %y: tensor<8xf32>) {
  %r = canao.slice %x starts [0, 0] steps [1, 1] : (tensor<8xf32>) -> tensor<4xf32>
  func.return
}

// CHECK: starts, steps, operand and result must have one rank

// -----

func.func @bad(%x: tensor<8xf32>, %y: tensor<8xf32>) {
  %r = canao.broadcast %x : (tensor<8xf32>) -> tensor<8x4xf32>
  func.return
}

// CHECK: shapes [(8,), (8, 4)] cannot be broadcast together

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<3x8xf32>) {
  %r = canao.concat %x, %y axis 1 : (tensor<4x8xf32>, tensor<3x8xf32>) -> tensor<4x16xf32>
  func.return
}

// CHECK: operands must agree but for axis 1, result be [4, 16]

// -----

func.func @bad(%x: tensor<8xf32>, %y: tensor<8xf32>) {
  %r = canao.concat %x, %y axis 1 : (tensor<8xf32>, tensor<8xf32>) -> tensor<16xf32>
  func.return
}

// CHECK: axis 1 is out of range for rank 1

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<2xf32>) {
  %r = canao.gather %x at %y : (tensor<4x8xf32>, tensor<2xf32>) -> tensor<2x8xf32>
  func.return
}

// CHECK: indices must hold i64 elements

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<2xi64>) {
  %r = canao.gather %x at %y : (tensor<4x8xf32>, tensor<2xi64>) -> tensor<8x2xf32>
  func.return
}

// CHECK: result must have shape (2, 8)

// -----

func.func @bad(%x: tensor<4xf32>, %y: tensor<2xi64>) {
  %r = canao.gather %x at %y, %y : (tensor<4xf32>, tensor<2xi64>, tensor<2xi64>) -> tensor<2xf32>
  func.return
}

// CHECK: needs from one index to one a dimension of the table

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8xf32>) {
  %r = canao.pack %x panel 0 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return
}

// CHECK: packs a matrix into panels of one column or more

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8xf32>) {
  %r = canao.pack %x panel 3 : (tensor<4x8xf32>) -> tensor<2x4x3xf32>
  func.return
}

// CHECK: result must have shape (3, 4, 3)

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8xf32>) {
  %r = canao.softmax %x axis 2 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return
}

// CHECK: axis 2 is out of range for rank 2

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<8xf32>) {
  %r = canao.softmax %x axis 1 : (tensor<4x8xf32>) -> tensor<8x4xf32>
  func.return
}

// CHECK: result must be tensor<4x8xf32>

// -----

func.func @bad(%x: tensor<4x8xf32>, %y: tensor<4xf32>) {
  %r = canao.layer_norm %x, %y, %y epsilon 1.0e-5 : f64 : (tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4x8xf32>
  func.return
}

// CHECK: scale and shift must have shape (8,)

// -----

func.func @bad(%x: tensor<8xf32>, %y: tensor<8xf32>) {
  %r = canao.gelu %x approximate "fast" : (tensor<8xf32>) -> tensor<8xf32>
  func.return
}

// CHECK: approximate must be "none" or "tanh"

// -----

func.func @bad(%x: tensor<8xf32>, %y: tensor<8xf32>) {
  %r = canao.constant dense<0x1FF800000> : tensor<f32>
  func.return
}

// CHECK: 0x1FF800000 has more bits than f32

// -----

func.func @bad(%x: tensor<8xi1>, %y: tensor<8xi1>) {
  %r = canao.add %x, %y : (tensor<8xi1>, tensor<8xi1>) -> tensor<8xi1>
  func.return
}

// CHECK: truth values have no arithmetic: use canao.and, canao.or, canao.not or canao.cast

// -----

func.func @bad(%x: tensor<8xi64>) {
  %r = canao.wrap %x to i64 : (tensor<8xi64>) -> tensor<8xi64>
  func.return
}

// CHECK: elements wrap to one of i8, i16, i32, ui8, not i64

// -----

func.func @bad(%x: tensor<8xf32>) {
  %r = canao.wrap %x to i8 : (tensor<8xf32>) -> tensor<8xi64>
  func.return
}

// CHECK: only i64 elements wrap

// -----

func.func @bad(%x: tensor<0x8xf32>, %y: tensor<2xi64>) {
  %r = canao.gather %x at %y : (tensor<0x8xf32>, tensor<2xi64>) -> tensor<2x8xf32>
  func.return
}

// CHECK: a table of shape (0, 8) has nothing to look up

// -----

func.func @bad(%x: tensor<4xi64>) {
  %r = canao.floor %x : (tensor<4xi64>) -> tensor<4xi64>
  func.return
}

// CHECK: elements must be floating-point numbers, not i64

// -----

func.func @bad(%x: tensor<4xi64>) {
  %r = canao.fmod %x, %x : (tensor<4xi64>, tensor<4xi64>) -> tensor<4xi64>
  func.return
}

// CHECK: elements must be floating-point numbers, not i64

// -----

func.func @bad(%x: tensor<4xi64>) {
  %r = canao.keep_rounding %x : (tensor<4xi64>) -> tensor<4xi64>
  func.return
}

// CHECK: elements must be floating-point numbers, not i64
