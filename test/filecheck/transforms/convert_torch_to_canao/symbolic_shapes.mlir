// RUN: canao-opt %s -p convert-torch-to-canao --allow-unregistered-dialect | filecheck %s

// Symbols and the shapes bound to them become extents; integers computed of sizes vanish.
// CHECK-LABEL: func.func @main(%{{.*}}: tensor<?x4xf32, #canao.extents<[s0, 4], s0 in 1 to 9>>) -> tensor<?x4xf32, #canao.extents<[s0, 4], s0 in 1 to 9>> {
// CHECK: canao.constant dense<[0, 1, 2, 3, 4, 5, 6, 7, 8]> : tensor<9xi64>
// CHECK-NEXT: canao.slice {{.*}} starts [0] steps [1] : (tensor<9xi64>) -> tensor<?xi64, #canao.extents<[s0], s0 in 1 to 9>>
// CHECK: %[[Y:.*]] = canao.mul {{.*}} -> tensor<?x4xf32, #canao.extents<[s0, 4], s0 in 1 to 9>>
// A size that is a number is how many ones there are.
// CHECK: %[[ONES:.*]] = canao.broadcast {{.*}} -> tensor<?xf32, #canao.extents<[s0], s0 in 1 to 9>>
// CHECK: %[[SUM:.*]] = canao.reduce_sum %[[ONES]]
// CHECK: %[[SIZE:.*]] = canao.reshape %[[SUM]] {{.*}} -> tensor<f32>
// CHECK: canao.mul %[[Y]], %[[SIZE]]
"builtin.module"() ({
  "func.func"() <{function_type = (!torch.vtensor<[?,4],f32>) -> !torch.vtensor<[?,4],f32>, sym_name = "main"}> ({
  ^bb0(%x: !torch.vtensor<[?,4],f32>):
    %s = "torch.symbolic_int"() <{max_val = 9 : i64, min_val = 0 : i64, symbol_name = "s0"}> : () -> !torch.int
    "torch.bind_symbolic_shape"(%x, %s) <{shape_expressions = affine_map<()[s0] -> (s0, 4)>}> : (!torch.vtensor<[?,4],f32>, !torch.int) -> ()
    %0 = "torch.constant.int"() <{value = 0 : i64}> : () -> !torch.int
    %n = "torch.aten.size.int"(%x, %0) : (!torch.vtensor<[?,4],f32>, !torch.int) -> !torch.int
    %none = "torch.constant.none"() : () -> !torch.none
    %r = "torch.aten.arange"(%n, %none, %none, %none, %none) : (!torch.int, !torch.none, !torch.none, !torch.none, !torch.none) -> !torch.vtensor<[?],si64>
    "torch.bind_symbolic_shape"(%r, %s) <{shape_expressions = affine_map<()[s0] -> (s0)>}> : (!torch.vtensor<[?],si64>, !torch.int) -> ()
    %1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
    %c = "torch.aten.unsqueeze"(%r, %1) : (!torch.vtensor<[?],si64>, !torch.int) -> !torch.vtensor<[?,1],si64>
    "torch.bind_symbolic_shape"(%c, %s) <{shape_expressions = affine_map<()[s0] -> (s0, 1)>}> : (!torch.vtensor<[?,1],si64>, !torch.int) -> ()
    %y = "torch.aten.mul.Tensor"(%x, %c) : (!torch.vtensor<[?,4],f32>, !torch.vtensor<[?,1],si64>) -> !torch.vtensor<[?,4],f32>
    "torch.bind_symbolic_shape"(%y, %s) <{shape_expressions = affine_map<()[s0] -> (s0, 4)>}> : (!torch.vtensor<[?,4],f32>, !torch.int) -> ()
    %z = "torch.aten.mul.Scalar"(%y, %n) : (!torch.vtensor<[?,4],f32>, !torch.int) -> !torch.vtensor<[?,4],f32>
    "torch.bind_symbolic_shape"(%z, %s) <{shape_expressions = affine_map<()[s0] -> (s0, 4)>}> : (!torch.vtensor<[?,4],f32>, !torch.int) -> ()
    "func.return"(%z) : (!torch.vtensor<[?,4],f32>) -> ()
  }) : () -> ()
}) : () -> ()
