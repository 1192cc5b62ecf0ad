// RUN: canao-opt %s -t opencl | filecheck %s

// A task of the loop is a work-group of one item; vectors are types of the language.

func.func private @matmul(%a: memref<8x32xf32>, %b: memref<512xf32>, %c: memref<8x16xf32>) attributes {canao.kernel} {
  "affine.parallel"() <{lowerBoundsMap = affine_map<() -> (0, 0)>, lowerBoundsGroups = dense<1> : vector<2xi32>, upperBoundsMap = affine_map<() -> (2, 4)>, upperBoundsGroups = dense<1> : vector<2xi32>, steps = [1 : i64, 1 : i64], reductions = []}> ({
  ^bb0(%p: index, %i: index):
    %z = arith.constant dense<0.0> : vector<8xf32>
    %r:2 = affine.for %k = 0 to 32 iter_args(%c0 = %z, %c1 = %z) -> (vector<8xf32>, vector<8xf32>) {
      %b0 = affine.vector_load %b[%p * 256 + %k * 8] : memref<512xf32>, vector<8xf32>
      %a0 = affine.load %a[%i * 2, %k] : memref<8x32xf32>
      %a1 = affine.load %a[%i * 2 + 1, %k] : memref<8x32xf32>
      %s0 = vector.broadcast %a0 : f32 to vector<8xf32>
      %s1 = vector.broadcast %a1 : f32 to vector<8xf32>
      %n0 = vector.fma %s0, %b0, %c0 : vector<8xf32>
      %n1 = vector.fma %s1, %b0, %c1 : vector<8xf32>
      affine.yield %n0, %n1 : vector<8xf32>, vector<8xf32>
    }
    affine.vector_store %r#0, %c[%i * 2, %p * 8] : memref<8x16xf32>, vector<8xf32>
    affine.vector_store %r#1, %c[%i * 2 + 1, %p * 8] : memref<8x16xf32>, vector<8xf32>
    affine.yield
  }) : () -> ()
  func.return
}

func.func @main(%a: memref<8x32xf32>, %w: memref<512xf32>, %c: memref<8x16xf32>) attributes {canao.inputs = 1 : i64, canao.weights = 1 : i64, canao.outputs = 1 : i64} {
  func.call @matmul(%a, %w, %c) : (memref<8x32xf32>, memref<512xf32>, memref<8x16xf32>) -> ()
  func.return
}

// CHECK: typedef char int8_t;
// CHECK: __kernel __attribute__((reqd_work_group_size(1, 1, 1)))
// CHECK-NEXT: void matmul_kernel(__global const uchar *restrict base_m1, const ulong start_m1, __global const uchar *restrict base_m2, const ulong start_m2, __global uchar *restrict base_m3, const ulong start_m3) {
// CHECK-NEXT:   __global const float *restrict const m1 = (__global const float *)(base_m1 + start_m1);
// CHECK-NEXT:   __global const float *restrict const m2 = (__global const float *)(base_m2 + start_m2);
// CHECK-NEXT:   __global float *restrict const m3 = (__global float *)(base_m3 + start_m3);
// CHECK-NEXT:   const long task = get_group_id(0);
// CHECK-NEXT:   const long i1 = task / 4;
// CHECK-NEXT:   const long i2 = task % 4;
// CHECK:        for (long i3 = 0; i3 < 32; ++i3) {
// CHECK-NEXT:     const f32x8 v1 = *(__global const f32x8_mem *)(m2 + i1 * 256 + i3 * 8);
// CHECK-NEXT:     const float v2 = m1[i2 * 64 + i3];
// CHECK:          t2 = t4 * v1 + t2;
// CHECK:        *(__global f32x8_mem *)(m3 + i2 * 32 + i1 * 8) = t2;
