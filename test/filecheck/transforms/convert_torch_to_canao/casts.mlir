// RUN: canao-opt %s -p convert-torch-to-canao | filecheck %s

// Dropout does nothing in inference, and a view is its tensor; what is no tensor is not returned.
func.func @casts(%a: !torch.vtensor<[2,3],f32>) -> (!torch.vtensor<[2,3],f64>, !torch.none) {
  %p = "torch.constant.float"() <{value = 1.000000e-01 : f64}> : () -> !torch.float
  %no = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %7 = "torch.constant.int"() <{value = 7 : i64}> : () -> !torch.int
  %none = "torch.constant.none"() : () -> !torch.none
  %0 = "torch.aten.dropout"(%a, %p, %no) : (!torch.vtensor<[2,3],f32>, !torch.float, !torch.bool) -> !torch.vtensor<[2,3],f32>
  %1 = "torch.aten.to.dtype"(%0, %7, %no, %no, %none) : (!torch.vtensor<[2,3],f32>, !torch.int, !torch.bool, !torch.bool, !torch.none) -> !torch.vtensor<[2,3],f64>
  %2 = "torch.prims.view_of"(%1) : (!torch.vtensor<[2,3],f64>) -> !torch.vtensor<[2,3],f64>
  "torch.aten._assert_tensor_metadata"(%1, %none, %none, %7, %none, %none) : (!torch.vtensor<[2,3],f64>, !torch.none, !torch.none, !torch.int, !torch.none, !torch.none) -> ()
  func.return %2, %none : !torch.vtensor<[2,3],f64>, !torch.none
}

// CHECK-LABEL: func.func @casts(%a: tensor<2x3xf32>) -> tensor<2x3xf64> {
// CHECK-NEXT:    %0 = canao.cast %a : (tensor<2x3xf32>) -> tensor<2x3xf64>
// CHECK-NEXT:    func.return %0 : tensor<2x3xf64>
// CHECK-NEXT:    }

// Narrow floats are computed in float32.
func.func @narrow(%a: !torch.vtensor<[2,3],f16>, %b: !torch.vtensor<[3],bf16>) -> !torch.vtensor<[2,3],f32> {
  %6 = "torch.constant.int"() <{value = 6 : i64}> : () -> !torch.int
  %no = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %none = "torch.constant.none"() : () -> !torch.none
  %1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %0 = "torch.aten.to.dtype"(%a, %6, %no, %no, %none) : (!torch.vtensor<[2,3],f16>, !torch.int, !torch.bool, !torch.bool, !torch.none) -> !torch.vtensor<[2,3],f32>
  %2 = "torch.aten.add.Tensor"(%0, %b, %1) : (!torch.vtensor<[2,3],f32>, !torch.vtensor<[3],bf16>, !torch.int) -> !torch.vtensor<[2,3],f32>
  func.return %2 : !torch.vtensor<[2,3],f32>
}

// CHECK-LABEL: func.func @narrow(%a: tensor<2x3xf32>, %b: tensor<3xf32>) -> tensor<2x3xf32> {
// CHECK-NEXT:    %0 = canao.add %a, %b : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT:    func.return %0 : tensor<2x3xf32>
