// RUN: canao-opt %s -p convert-torch-to-canao | filecheck %s

// The index of the maximum is unused, so nothing computes it.
func.func @reductions(%a: !torch.vtensor<[2,3],f32>, %i: !torch.vtensor<[2,3],si64>) -> (!torch.vtensor<[2],f32>, !torch.vtensor<[2],f32>, !torch.vtensor<[2],f32>, !torch.vtensor<[2,3],si64>) {
  %1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %keep = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %none = "torch.constant.none"() : () -> !torch.none
  %axes = "torch.prim.ListConstruct"(%1) : (!torch.int) -> !torch.list<int>
  %s = "torch.aten.sum.dim_IntList"(%a, %axes, %keep, %none) : (!torch.vtensor<[2,3],f32>, !torch.list<int>, !torch.bool, !torch.none) -> !torch.vtensor<[2],f32>
  %m = "torch.aten.mean.dim"(%a, %axes, %keep, %none) : (!torch.vtensor<[2,3],f32>, !torch.list<int>, !torch.bool, !torch.none) -> !torch.vtensor<[2],f32>
  %x, %n = "torch.aten.max.dim"(%a, %1, %keep) : (!torch.vtensor<[2,3],f32>, !torch.int, !torch.bool) -> (!torch.vtensor<[2],f32>, !torch.vtensor<[2],si64>)
  %c = "torch.aten.cumsum"(%i, %1, %none) : (!torch.vtensor<[2,3],si64>, !torch.int, !torch.none) -> !torch.vtensor<[2,3],si64>
  func.return %s, %m, %x, %c : !torch.vtensor<[2],f32>, !torch.vtensor<[2],f32>, !torch.vtensor<[2],f32>, !torch.vtensor<[2,3],si64>
}

// CHECK-LABEL: func.func @reductions(%a: tensor<2x3xf32>, %i: tensor<2x3xi64>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x3xi64>) {
// CHECK-NEXT:    %0 = canao.reduce_sum %a axes [1] : (tensor<2x3xf32>) -> tensor<2x1xf32>
// CHECK-NEXT:    %1 = canao.reshape %0 : (tensor<2x1xf32>) -> tensor<2xf32>
// CHECK-NEXT:    %2 = canao.reduce_sum %a axes [1] : (tensor<2x3xf32>) -> tensor<2x1xf32>
// CHECK-NEXT:    %3 = canao.constant dense<0.333333343> : tensor<f32>
// CHECK-NEXT:    %4 = canao.mul %2, %3 : (tensor<2x1xf32>, tensor<f32>) -> tensor<2x1xf32>
// CHECK-NEXT:    %5 = canao.reshape %4 : (tensor<2x1xf32>) -> tensor<2xf32>
// CHECK-NEXT:    %6 = canao.reduce_max %a axes [1] : (tensor<2x3xf32>) -> tensor<2x1xf32>
// CHECK-NEXT:    %7 = canao.reshape %6 : (tensor<2x1xf32>) -> tensor<2xf32>
// CHECK-NEXT:    %8 = canao.constant dense<0> : tensor<i64>
// CHECK-NEXT:    %9 = canao.reshape %i : (tensor<2x3xi64>) -> tensor<2x1x3xi64>
// CHECK-NEXT:    %10 = canao.constant dense<[[0, 1, 2]]> : tensor<1x3xi64>
// CHECK-NEXT:    %11 = canao.constant dense<[[0], [1], [2]]> : tensor<3x1xi64>
// CHECK-NEXT:    %12 = canao.cmp "le" %10, %11 : (tensor<1x3xi64>, tensor<3x1xi64>) -> tensor<3x3xi1>
// CHECK-NEXT:    %13 = canao.select %12, %9, %8 : (tensor<3x3xi1>, tensor<2x1x3xi64>, tensor<i64>) -> tensor<2x3x3xi64>
// CHECK-NEXT:    %14 = canao.reduce_sum %13 axes [2] : (tensor<2x3x3xi64>) -> tensor<2x3x1xi64>
// CHECK-NEXT:    %15 = canao.reshape %14 : (tensor<2x3x1xi64>) -> tensor<2x3xi64>
// CHECK-NEXT:    func.return %1, %5, %7, %15 : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x3xi64>
// CHECK-NEXT:    }
