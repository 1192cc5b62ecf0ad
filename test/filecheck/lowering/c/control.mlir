// RUN: canao-opt %s -t c | filecheck %s

// A kernel without a parallel loop is one task; conditions assign their results.

func.func private @helper(%x: f32) -> f32 {
  %h = arith.constant 0.1 : f32
  %y = arith.mulf %x, %h : f32
  func.return %y : f32
}

func.func private @kernel(%a: memref<32xf32>, %o: memref<32xf32>) attributes {canao.kernel} {
  %s = memref.alloca() : memref<20xf32>
  affine.for %i = 0 to 32 {
    %x = affine.load %a[%i] : memref<32xf32>
    %z = arith.constant 0.0 : f32
    %c = arith.cmpf olt, %x, %z : f32
    %y = scf.if %c -> (f32) {
      %n = func.call @helper(%x) : (f32) -> f32
      scf.yield %n : f32
    } else {
      scf.yield %x : f32
    }
    affine.store %y, %s[%i mod 20] : memref<20xf32>
    affine.store %y, %o[%i] : memref<32xf32>
  }
  func.return
}

func.func @main(%a: memref<32xf32>, %o: memref<32xf32>, %arena: memref<256xi8>) attributes {canao.inputs = 1 : i64, canao.weights = 0 : i64, canao.outputs = 1 : i64} {
  %c64 = arith.constant 64 : index
  %t = memref.view %arena[%c64][] : memref<256xi8> to memref<32xf32>
  func.call @kernel(%a, %t) : (memref<32xf32>, memref<32xf32>) -> ()
  func.call @kernel(%t, %o) : (memref<32xf32>, memref<32xf32>) -> ()
  func.return
}

// CHECK: CANAO_INLINE float h0_helper(const float x1) {
// CHECK-NEXT:   const float t1 = x1 * 0x1.99999a0000000p-4f;
// CHECK-NEXT:   return t1;
// CHECK: CANAO_KERNEL void kernel_kernel(const canao_call *call, CANAO_UNUSED const long task, const float *restrict m1, float *restrict m2) {
// CHECK-NEXT:   float *restrict const s1 = (float *)(void *)(call->scratch + 0);
// CHECK-NEXT:   for (long i1 = 0; i1 < 32; ++i1) {
// CHECK-NEXT:     const float v1 = m1[i1];
// CHECK-NEXT:     const int t1 = v1 < 0.0f;
// CHECK-NEXT:     float t2;
// CHECK-NEXT:     if (t1) {
// CHECK-NEXT:       const float t3 = h0_helper(v1);
// CHECK-NEXT:       t2 = t3;
// CHECK-NEXT:     } else {
// CHECK-NEXT:       t2 = v1;
// CHECK-NEXT:     }
// CHECK-NEXT:     s1[(i1 % 20)] = t2;
// CHECK-NEXT:     m2[i1] = t2;
// CHECK: #define CANAO_SHARED_BYTES 256
// CHECK-NEXT: #define CANAO_SCRATCH_BYTES 128
// CHECK: kernel_kernel(&call, task, c->inputs[0], (void *)(c->arena + 64));
// CHECK: kernel_kernel(&call, task, (void *)(c->arena + 64), c->outputs[0]);
