// RUN: canao-opt %s -t c | filecheck %s
// RUN: canao-opt %s -t opencl | filecheck %s --check-prefix=OPENCL

// What is to stay in a register goes through empty statements of assembly, where the
// processor has registers of that size. OpenCL has no such statements.

func.func private @sums(%x: memref<32xf32>, %w: memref<256xf32>, %y: memref<8xf32>) attributes {canao.kernel} {
  %z = arith.constant dense<0.0> : vector<8xf32>
  %r = affine.for %k = 0 to 32 iter_args(%c = %z) -> (vector<8xf32>) {
    %w0 = affine.vector_load %w[%k * 8] : memref<256xf32>, vector<8xf32>
    %w1 = canao_vector.keep %w0 : vector<8xf32>
    %x0 = affine.load %x[%k] : memref<32xf32>
    %x1 = vector.broadcast %x0 : f32 to vector<8xf32>
    %s0 = vector.fma %x1, %w1, %c : vector<8xf32>
    %s1 = canao_vector.in_order %s0 : vector<8xf32>
    "canao_memory.compiler_fence"(%w1) : (vector<8xf32>) -> ()
    affine.yield %s1 : vector<8xf32>
  }
  affine.vector_store %r, %y[0] : memref<8xf32>, vector<8xf32>
  func.return
}

func.func @main(%x: memref<32xf32>, %w: memref<256xf32>, %y: memref<8xf32>) attributes {canao.inputs = 1 : i64, canao.weights = 1 : i64, canao.outputs = 1 : i64} {
  func.call @sums(%x, %w, %y) : (memref<32xf32>, memref<256xf32>, memref<8xf32>) -> ()
  func.return
}

// CHECK:      CANAO_INLINE f32x8 canao_keep_f32x8(const f32x8 a) {
// CHECK-NEXT:   f32x8 r = a;
// CHECK-NEXT: #if defined(__GNUC__) && defined(__AVX__)
// CHECK-NEXT:   __asm__("" : "+v"(r));
// CHECK-NEXT: #endif
// CHECK-NEXT:   return r;
// CHECK:      CANAO_INLINE f32x8 canao_in_order_f32x8(const f32x8 a) {
// CHECK:      #if defined(__clang__) && defined(__AVX__)
// CHECK:      CANAO_INLINE void canao_hold_f32x8(CANAO_UNUSED const f32x8 a) {
// CHECK:        __asm__ volatile("" : : "v"(a));
// CHECK:      CANAO_KERNEL void sums_kernel
// CHECK:          const f32x8 [[W:t[0-9]+]] = canao_keep_f32x8(v{{[0-9]+}});
// CHECK:          [[SUM:t[0-9]+]] = [[X:t[0-9]+]] * [[W]] + [[SUM]];
// CHECK-NEXT:     [[SUM]] = canao_in_order_f32x8([[SUM]]);
// CHECK-NEXT:     canao_hold_f32x8([[W]]);
// CHECK-NEXT:     __asm__ volatile("" ::: "memory");

// OPENCL-NOT: asm
// OPENCL: [[SUM:t[0-9]+]] = t{{[0-9]+}} * t{{[0-9]+}} + [[SUM]];
// OPENCL-NOT: asm
