// RUN: canao-opt %s -p convert-torch-to-canao | filecheck %s

func.func @elementwise(%a: !torch.vtensor<[2,3],f32>, %b: !torch.vtensor<[3],f32>) -> !torch.vtensor<[2,3],f32> {
  %one = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %half = "torch.constant.float"() <{value = 5.000000e-01 : f64}> : () -> !torch.float
  %0 = "torch.aten.add.Tensor"(%a, %b, %one) : (!torch.vtensor<[2,3],f32>, !torch.vtensor<[3],f32>, !torch.int) -> !torch.vtensor<[2,3],f32>
  %1 = "torch.aten.mul.Scalar"(%0, %half) : (!torch.vtensor<[2,3],f32>, !torch.float) -> !torch.vtensor<[2,3],f32>
  %2 = "torch.aten.rsub.Scalar"(%1, %one, %one) : (!torch.vtensor<[2,3],f32>, !torch.int, !torch.int) -> !torch.vtensor<[2,3],f32>
  %3 = "torch.aten.gt.Scalar"(%2, %half) : (!torch.vtensor<[2,3],f32>, !torch.float) -> !torch.vtensor<[2,3],i1>
  %4 = "torch.aten.where.ScalarOther"(%3, %2, %half) : (!torch.vtensor<[2,3],i1>, !torch.vtensor<[2,3],f32>, !torch.float) -> !torch.vtensor<[2,3],f32>
  %5 = "torch.aten.relu"(%4) : (!torch.vtensor<[2,3],f32>) -> !torch.vtensor<[2,3],f32>
  func.return %5 : !torch.vtensor<[2,3],f32>
}

// A square is a product; integers meet floats as float32, and alpha scales the second operand.
func.func @promotion(%a: !torch.vtensor<[2,3],f32>, %n: !torch.vtensor<[3],si64>) -> (!torch.vtensor<[3],i1>, !torch.vtensor<[2,3],f32>) {
  %two = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %0 = "torch.aten.pow.Tensor_Scalar"(%a, %two) : (!torch.vtensor<[2,3],f32>, !torch.int) -> !torch.vtensor<[2,3],f32>
  %1 = "torch.aten.gt.Scalar"(%n, %two) : (!torch.vtensor<[3],si64>, !torch.int) -> !torch.vtensor<[3],i1>
  %2 = "torch.aten.add.Tensor"(%0, %n, %two) : (!torch.vtensor<[2,3],f32>, !torch.vtensor<[3],si64>, !torch.int) -> !torch.vtensor<[2,3],f32>
  func.return %1, %2 : !torch.vtensor<[3],i1>, !torch.vtensor<[2,3],f32>
}

// CHECK-LABEL: func.func @elementwise(%a: tensor<2x3xf32>, %b: tensor<3xf32>) -> tensor<2x3xf32> {
// CHECK-NEXT:    %0 = canao.add %a, %b : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT:    %1 = canao.constant dense<5.000000e-01> : tensor<f32>
// CHECK-NEXT:    %2 = canao.mul %0, %1 : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
// CHECK-NEXT:    %3 = canao.constant dense<1.000000e+00> : tensor<f32>
// CHECK-NEXT:    %4 = canao.sub %3, %2 : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT:    %5 = canao.constant dense<5.000000e-01> : tensor<f32>
// CHECK-NEXT:    %6 = canao.cmp "gt" %4, %5 : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xi1>
// CHECK-NEXT:    %7 = canao.constant dense<5.000000e-01> : tensor<f32>
// CHECK-NEXT:    %8 = canao.select %6, %4, %7 : (tensor<2x3xi1>, tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
// CHECK-NEXT:    %9 = canao.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT:    %10 = canao.maximum %9, %8 : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT:    func.return %10 : tensor<2x3xf32>
// CHECK-NEXT:    }
// CHECK-LABEL: func.func @promotion(%a: tensor<2x3xf32>, %n: tensor<3xi64>) -> (tensor<3xi1>, tensor<2x3xf32>) {
// CHECK-NEXT:    %0 = canao.mul %a, %a : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT:    %1 = canao.constant dense<2> : tensor<i64>
// CHECK-NEXT:    %2 = canao.cmp "gt" %n, %1 : (tensor<3xi64>, tensor<i64>) -> tensor<3xi1>
// CHECK-NEXT:    %3 = canao.cast %n : (tensor<3xi64>) -> tensor<3xf32>
// CHECK-NEXT:    %4 = canao.constant dense<2.000000e+00> : tensor<f32>
// CHECK-NEXT:    %5 = canao.mul %3, %4 : (tensor<3xf32>, tensor<f32>) -> tensor<3xf32>
// CHECK-NEXT:    %6 = canao.add %0, %5 : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT:    func.return %2, %6 : tensor<3xi1>, tensor<2x3xf32>
// CHECK-NEXT:    }
