// RUN: canao-opt %s -p canao-simplify,lp-fusion,outline-weights,name-layers,expand-composites,lower-canao-to-affine{features=avx512f},approximate-math,plan-memory | filecheck %s
// RUN: canao-opt %s -p canao-simplify,lp-fusion,outline-weights,name-layers,expand-composites,lower-canao-to-affine{features=avx512f},approximate-math,plan-memory | canao-opt -t c | filecheck %s --check-prefix C
// RUN: canao-opt %s -p canao-simplify,lp-fusion,outline-weights,name-layers,expand-composites,lower-canao-to-affine{features=avx512f},approximate-math,plan-memory -t c > %t.c
// RUN: canao-opt %s -p canao-simplify,lp-fusion,outline-weights,name-layers,expand-composites,lower-canao-to-affine{features=avx512f},approximate-math,plan-memory | canao-opt | canao-opt -t c > %t.again.c
// RUN: diff %t.c %t.again.c

// Attention with a padding mask: one product for queries, keys and values, a
// kernel for the mask, one for scores, softmax and context.
func.func @main(%x: tensor<1x8x32xf32>, %padding: tensor<1x8xi64>) -> tensor<1x8x32xf32> {
  %wq = canao.weight "q" : tensor<32x32xf32>
  %wk = canao.weight "k" : tensor<32x32xf32>
  %wv = canao.weight "v" : tensor<32x32xf32>
  %q0 = canao.matmul %x, %wq : (tensor<1x8x32xf32>, tensor<32x32xf32>) -> tensor<1x8x32xf32>
  %k0 = canao.matmul %x, %wk : (tensor<1x8x32xf32>, tensor<32x32xf32>) -> tensor<1x8x32xf32>
  %v0 = canao.matmul %x, %wv : (tensor<1x8x32xf32>, tensor<32x32xf32>) -> tensor<1x8x32xf32>
  %q1 = canao.reshape %q0 : (tensor<1x8x32xf32>) -> tensor<1x8x2x16xf32>
  %k1 = canao.reshape %k0 : (tensor<1x8x32xf32>) -> tensor<1x8x2x16xf32>
  %v1 = canao.reshape %v0 : (tensor<1x8x32xf32>) -> tensor<1x8x2x16xf32>
  %q2 = canao.transpose %q1 [0, 2, 1, 3] : (tensor<1x8x2x16xf32>) -> tensor<1x2x8x16xf32>
  %k2 = canao.transpose %k1 [0, 2, 3, 1] : (tensor<1x8x2x16xf32>) -> tensor<1x2x16x8xf32>
  %v2 = canao.transpose %v1 [0, 2, 1, 3] : (tensor<1x8x2x16xf32>) -> tensor<1x2x8x16xf32>
  %scores = canao.matmul %q2, %k2 : (tensor<1x2x8x16xf32>, tensor<1x2x16x8xf32>) -> tensor<1x2x8x8xf32>
  %zero = canao.constant dense<0.0> : tensor<f32>
  %lowest = canao.constant dense<"0x000080FF"> : tensor<f32>
  %none = canao.constant dense<0> : tensor<i64>
  %kept = canao.cmp "ne" %padding, %none : (tensor<1x8xi64>, tensor<i64>) -> tensor<1x8xi1>
  %mask = canao.select %kept, %zero, %lowest : (tensor<1x8xi1>, tensor<f32>, tensor<f32>) -> tensor<1x8xf32>
  %row = canao.reshape %mask : (tensor<1x8xf32>) -> tensor<1x1x1x8xf32>
  %masked = canao.add %scores, %row : (tensor<1x2x8x8xf32>, tensor<1x1x1x8xf32>) -> tensor<1x2x8x8xf32>
  %p = canao.softmax %masked axis 3 : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
  %c0 = canao.matmul %p, %v2 : (tensor<1x2x8x8xf32>, tensor<1x2x8x16xf32>) -> tensor<1x2x8x16xf32>
  %c1 = canao.transpose %c0 [0, 2, 1, 3] : (tensor<1x2x8x16xf32>) -> tensor<1x8x2x16xf32>
  %c2 = canao.reshape %c1 : (tensor<1x8x2x16xf32>) -> tensor<1x8x32xf32>
  func.return %c2 : tensor<1x8x32xf32>
}

// CHECK:      func.func @prepare() -> tensor<{{.*}}>
// CHECK:      canao.concat %wq, %wk, %wv axis 1
// CHECK:      func.func private @linear_32x96(
// CHECK:      func.func private @elementwise_cmp_select_8(%input: memref<8xi64>, %output: memref<8xf32>)
// CHECK:      [[MASK:%.*]] = canao_vector.cmp "ne" %{{.*}}, %{{.*}} : vector<8xi64> -> vector<8xi1>
// CHECK:      arith.constant 0xff800000 : f32
// CHECK:      canao_vector.select [[MASK]], %{{.*}}, %{{.*}} : vector<8xi1>, vector<8xf32>
// CHECK:      func.func private @attention_2x16(
// CHECK:      memref.alloca() {alignment = 64 : i64} : memref<128xf32>
// CHECK:      vector.shuffle
// CHECK:      vector.fma
// CHECK-NOT:  vector.reduction
// CHECK:      arith.maximumf
// CHECK:      func.call @exp_f32x8
// CHECK:      arith.divf
// CHECK:      vector.shuffle
// CHECK:      func.func @main(
// CHECK-NEXT:   arith.constant 0 : index
// CHECK-NEXT:   memref.view %{{.*}} : memref<3136xi8> to memref<768xf32>
// CHECK-NEXT:   func.call @linear_32x96(
// CHECK-NEXT:   arith.constant 3072 : index
// CHECK-NEXT:   memref.view %{{.*}} : memref<3136xi8> to memref<8xf32>
// CHECK-NEXT:   func.call @elementwise_cmp_select_8(
// CHECK-NEXT:   func.call @attention_2x16(
// CHECK-NEXT:   func.return
// CHECK:      func.func private @exp_f32x8

// C:      CANAO_KERNEL void elementwise_cmp_select_8({{.*}}, const int64_t *restrict input, float *restrict output) {
// C:      const i32x8 [[CMASK:t[0-9]+]] = __builtin_convertvector(x{{[0-9]+}} != t{{[0-9]+}}, i32x8);
// C:      canao_splat_f32x8((-INFINITY));
// C:      canao_blend_f32x8([[CMASK]], t
// C:      #define CANAO_CALLS 3
