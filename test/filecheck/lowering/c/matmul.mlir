// RUN: canao-opt %s -t c | filecheck %s
// RUN: canao-opt %s -t c{threads=4} | filecheck %s --check-prefix=THREADS

// Accumulators are plain variables, updated in place; subscripts are folded.

func.func private @matmul(%a: memref<8x32xf32>, %b: memref<1024xf32>, %c: memref<8x32xf32>) attributes {canao.kernel} {
  "affine.parallel"() <{lowerBoundsMap = affine_map<() -> (0, 0)>, lowerBoundsGroups = dense<1> : vector<2xi32>, upperBoundsMap = affine_map<() -> (2, 4)>, upperBoundsGroups = dense<1> : vector<2xi32>, steps = [1 : i64, 1 : i64], reductions = []}> ({
  ^bb0(%p: index, %i: index):
    %z = arith.constant dense<0.0> : vector<16xf32>
    %r:2 = affine.for %k = 0 to 32 iter_args(%c0 = %z, %c1 = %z) -> (vector<16xf32>, vector<16xf32>) {
      %b0 = affine.vector_load %b[%p * 512 + %k * 16] : memref<1024xf32>, vector<16xf32>
      %a0 = affine.load %a[%i * 2, %k] : memref<8x32xf32>
      %a1 = affine.load %a[%i * 2 + 1, %k] : memref<8x32xf32>
      %s0 = vector.broadcast %a0 : f32 to vector<16xf32>
      %s1 = vector.broadcast %a1 : f32 to vector<16xf32>
      %n0 = vector.fma %s0, %b0, %c0 : vector<16xf32>
      %n1 = vector.fma %s1, %b0, %c1 : vector<16xf32>
      affine.yield %n0, %n1 : vector<16xf32>, vector<16xf32>
    }
    affine.vector_store %r#0, %c[%i * 2, %p * 16] : memref<8x32xf32>, vector<16xf32>
    affine.vector_store %r#1, %c[%i * 2 + 1, %p * 16] : memref<8x32xf32>, vector<16xf32>
    affine.yield
  }) : () -> ()
  func.return
}

func.func @main(%a: memref<8x32xf32>, %w: memref<1024xf32>, %c: memref<8x32xf32>) attributes {canao.inputs = 1 : i64, canao.weights = 1 : i64, canao.outputs = 1 : i64} {
  func.call @matmul(%a, %w, %c) : (memref<8x32xf32>, memref<1024xf32>, memref<8x32xf32>) -> ()
  func.return
}

// THREADS: #define CANAO_THREADS 4
// CHECK: typedef float f32x16 __attribute__((vector_size(64)));
// CHECK: typedef float f32x16_mem __attribute__((vector_size(64), aligned(4), may_alias));
// CHECK: CANAO_INLINE f32x16 canao_splat_f32x16(const float a) {
// CHECK-NEXT: return (f32x16){a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a};
// CHECK: CANAO_KERNEL void matmul_kernel(CANAO_UNUSED const canao_call *call, const long task, const float *restrict m1, const float *restrict m2, float *restrict m3) {
// CHECK-NEXT:   const long i1 = task / 4;
// CHECK-NEXT:   const long i2 = task % 4;
// CHECK-NEXT:   const f32x16 t1 = canao_splat_f32x16(0.0f);
// CHECK-NEXT:   f32x16 t2 = t1;
// CHECK-NEXT:   f32x16 t3 = t1;
// CHECK-NEXT:   for (long i3 = 0; i3 < 32; ++i3) {
// CHECK-NEXT:     const f32x16 v1 = *(const f32x16_mem *)(m2 + i1 * 512 + i3 * 16);
// CHECK-NEXT:     const float v2 = m1[i2 * 64 + i3];
// CHECK-NEXT:     const float v3 = m1[i2 * 64 + i3 + 32];
// CHECK-NEXT:     const f32x16 t4 = canao_splat_f32x16(v2);
// CHECK-NEXT:     const f32x16 t5 = canao_splat_f32x16(v3);
// CHECK-NEXT:     t2 = t4 * v1 + t2;
// CHECK-NEXT:     t3 = t5 * v1 + t3;
// CHECK-NEXT:   }
// CHECK-NEXT:   *(f32x16_mem *)(m3 + i2 * 64 + i1 * 16) = t2;
// CHECK-NEXT:   *(f32x16_mem *)(m3 + i2 * 64 + i1 * 16 + 32) = t3;
// CHECK-NEXT: }
// CHECK: #define CANAO_THREADS 1
// CHECK: #define CANAO_CALLS 1
// CHECK: matmul_kernel(&call, task, c->inputs[0], c->weights[0], c->outputs[0]);
// CHECK: {canao_step_0, 8, 0},
// CHECK: int canao_open(int threads, void **handle);
