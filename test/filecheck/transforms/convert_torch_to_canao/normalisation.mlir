// RUN: canao-opt %s -p convert-torch-to-canao | filecheck %s

// A mask of booleans becomes something to add; rows without any key give zeros.
func.func @attention(%q: !torch.vtensor<[2,4,5,8],f32>, %k: !torch.vtensor<[2,4,5,8],f32>, %v: !torch.vtensor<[2,4,5,8],f32>, %mask: !torch.vtensor<[2,1,5,5],i1>) -> !torch.vtensor<[2,4,5,8],f32> {
  %zero = "torch.constant.float"() <{value = 0.000000e+00 : f64}> : () -> !torch.float
  %no = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %none = "torch.constant.none"() : () -> !torch.none
  %0 = "torch.aten.scaled_dot_product_attention"(%q, %k, %v, %mask, %zero, %no, %none, %no) : (!torch.vtensor<[2,4,5,8],f32>, !torch.vtensor<[2,4,5,8],f32>, !torch.vtensor<[2,4,5,8],f32>, !torch.vtensor<[2,1,5,5],i1>, !torch.float, !torch.bool, !torch.none, !torch.bool) -> !torch.vtensor<[2,4,5,8],f32>
  func.return %0 : !torch.vtensor<[2,4,5,8],f32>
}

func.func @layer_norm(%x: !torch.vtensor<[4,8],f32>, %b: !torch.vtensor<[8],f32>) -> !torch.vtensor<[4,8],f32> {
  %8 = "torch.constant.int"() <{value = 8 : i64}> : () -> !torch.int
  %eps = "torch.constant.float"() <{value = 1.000000e-12 : f64}> : () -> !torch.float
  %no = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %none = "torch.constant.none"() : () -> !torch.none
  %m1 = "torch.constant.int"() <{value = -1 : i64}> : () -> !torch.int
  %width = "torch.prim.ListConstruct"(%8) : (!torch.int) -> !torch.list<int>
  %0 = "torch.aten.layer_norm"(%x, %width, %none, %b, %eps, %no) : (!torch.vtensor<[4,8],f32>, !torch.list<int>, !torch.none, !torch.vtensor<[8],f32>, !torch.float, !torch.bool) -> !torch.vtensor<[4,8],f32>
  %1 = "torch.aten.softmax.int"(%0, %m1, %none) : (!torch.vtensor<[4,8],f32>, !torch.int, !torch.none) -> !torch.vtensor<[4,8],f32>
  func.return %1 : !torch.vtensor<[4,8],f32>
}

// CHECK-LABEL: func.func @attention(%q: tensor<2x4x5x8xf32>, %k: tensor<2x4x5x8xf32>, %v: tensor<2x4x5x8xf32>, %mask: tensor<2x1x5x5xi1>) -> tensor<2x4x5x8xf32> {
// CHECK-NEXT:    %0 = canao.transpose %k [0, 1, 3, 2] : (tensor<2x4x5x8xf32>) -> tensor<2x4x8x5xf32>
// CHECK-NEXT:    %1 = canao.matmul %q, %0 : (tensor<2x4x5x8xf32>, tensor<2x4x8x5xf32>) -> tensor<2x4x5x5xf32>
// CHECK-NEXT:    %2 = canao.constant dense<0.353553385> : tensor<f32>
// CHECK-NEXT:    %3 = canao.mul %1, %2 : (tensor<2x4x5x5xf32>, tensor<f32>) -> tensor<2x4x5x5xf32>
// CHECK-NEXT:    %4 = canao.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT:    %5 = canao.constant dense<"0x000080FF"> : tensor<f32>
// CHECK-NEXT:    %6 = canao.select %mask, %4, %5 : (tensor<2x1x5x5xi1>, tensor<f32>, tensor<f32>) -> tensor<2x1x5x5xf32>
// CHECK-NEXT:    %7 = canao.add %3, %6 : (tensor<2x4x5x5xf32>, tensor<2x1x5x5xf32>) -> tensor<2x4x5x5xf32>
// CHECK-NEXT:    %8 = canao.softmax %7 axis 3 masked_rows_to_zero : (tensor<2x4x5x5xf32>) -> tensor<2x4x5x5xf32>
// CHECK-NEXT:    %9 = canao.matmul %8, %v : (tensor<2x4x5x5xf32>, tensor<2x4x5x8xf32>) -> tensor<2x4x5x8xf32>
// CHECK-NEXT:    func.return %9 : tensor<2x4x5x8xf32>
// CHECK-NEXT:    }
// CHECK-LABEL: func.func @layer_norm(%x: tensor<4x8xf32>, %b: tensor<8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:    %0 = canao.constant dense<1.000000e+00> : tensor<8xf32>
// CHECK-NEXT:    %1 = canao.layer_norm %x, %0, %b epsilon 1.000000e-12 : f64 : (tensor<4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:    %2 = canao.softmax %1 axis 1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:    func.return %2 : tensor<4x8xf32>
// CHECK-NEXT:    }
