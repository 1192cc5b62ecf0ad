// RUN: canao-opt %s -p canao-simplify,lp-fusion,outline-weights,name-layers,expand-composites,lower-canao-to-affine{features=avx512f},approximate-math,plan-memory | filecheck %s
// RUN: canao-opt %s -p canao-simplify,lp-fusion,outline-weights,name-layers,expand-composites,lower-canao-to-affine{features=avx512f},approximate-math,plan-memory | canao-opt -t c | filecheck %s --check-prefix C
// RUN: canao-opt %s -p canao-simplify,lp-fusion,outline-weights,name-layers,expand-composites,lower-canao-to-affine{features=avx512f},approximate-math,plan-memory -t c > %t.c
// RUN: canao-opt %s -p canao-simplify,lp-fusion,outline-weights,name-layers,expand-composites,lower-canao-to-affine{features=avx512f},approximate-math,plan-memory | canao-opt | canao-opt -t c > %t.again.c
// RUN: diff %t.c %t.again.c

// A feed-forward block: two products with their chains, in two kernels. Every
// stage is verified, and its text says all of it.
func.func @main(%x: tensor<8x32xf32>) -> tensor<8x32xf32> {
  %w1 = canao.weight "w1" : tensor<32x64xf32>
  %b1 = canao.weight "b1" : tensor<64xf32>
  %w2 = canao.weight "w2" : tensor<64x32xf32>
  %b2 = canao.weight "b2" : tensor<32xf32>
  %scale = canao.weight "scale" : tensor<32xf32>
  %shift = canao.weight "shift" : tensor<32xf32>
  %h0 = canao.matmul %x, %w1 : (tensor<8x32xf32>, tensor<32x64xf32>) -> tensor<8x64xf32>
  %h1 = canao.add %h0, %b1 : (tensor<8x64xf32>, tensor<64xf32>) -> tensor<8x64xf32>
  %h2 = canao.gelu %h1 approximate "none" : (tensor<8x64xf32>) -> tensor<8x64xf32>
  %o0 = canao.matmul %h2, %w2 : (tensor<8x64xf32>, tensor<64x32xf32>) -> tensor<8x32xf32>
  %o1 = canao.add %o0, %b2 : (tensor<8x32xf32>, tensor<32xf32>) -> tensor<8x32xf32>
  %o2 = canao.add %o1, %x : (tensor<8x32xf32>, tensor<8x32xf32>) -> tensor<8x32xf32>
  %o3 = canao.layer_norm %o2, %scale, %shift epsilon 1.0e-12 : f64 : (tensor<8x32xf32>, tensor<32xf32>, tensor<32xf32>) -> tensor<8x32xf32>
  func.return %o3 : tensor<8x32xf32>
}

// CHECK:      func.func @prepare() -> (tensor<{{.*}}>, tensor<64xf32>, tensor<{{.*}}>, tensor<32xf32>, tensor<32xf32>, tensor<32xf32>)
// CHECK:      canao.pack %w1 panel
// CHECK:      canao.pack %w2 panel
// CHECK:      func.func private @linear_gelu_32x64(%input: memref<256xf32>, %packed_weight: memref<{{[0-9]+}}xf32>, %bias: memref<64xf32>, %output: memref<512xf32>) attributes {canao.kernel
// CHECK:      func.call @erf_f32x16
// CHECK:      func.func private @linear_add_layer_norm_64x32
// CHECK:      math.sqrt
// CHECK:      func.func @main(
// CHECK-SAME: canao.inputs = 1 : i64, canao.weights = 6 : i64, canao.outputs = 1 : i64
// CHECK:      memref.view %{{.*}} : memref<2048xi8> to memref<512xf32>
// CHECK:      func.func private @erf_f32x16

// C:      canao_fail(
// C:      CANAO_INLINE f32x16 h{{[0-9]+}}_erf_f32x16(const f32x16 x1) {
// C:      CANAO_KERNEL void linear_gelu_32x64(
// C:      _erf_f32x16(
// C:      CANAO_KERNEL void linear_add_layer_norm_64x32(
// C:      sqrtf(
// C:      #define CANAO_CALLS 2
// C:      #define CANAO_SHARED_BYTES 2048
// C:      linear_gelu_32x64(&call, task, c->inputs[0], c->weights[0], c->weights[1], (void *)(c->arena + 0));
// C:      linear_add_layer_norm_64x32(&call, task, (void *)(c->arena + 0), c->weights[2], c->weights[3], c->inputs[0], c->weights[4], c->weights[5], c->outputs[0]);
