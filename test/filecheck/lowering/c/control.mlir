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

// CHECK: CANAO_INLINE float h0_helper(const float v1) {
// CHECK-NEXT:   const float v2 = v1 * 0x1.99999a0000000p-4f;
// CHECK-NEXT:   return v2;
// CHECK: CANAO_KERNEL void k0_kernel(const canao_call *call, CANAO_UNUSED const long task, const float *restrict m1, float *restrict m2) {
// CHECK-NEXT:   float *restrict const s3 = (float *)(void *)(call->scratch + 0);
// CHECK-NEXT:   for (long i4 = 0; i4 < 32; ++i4) {
// CHECK-NEXT:     const float v5 = m1[i4];
// CHECK-NEXT:     const int v6 = v5 < 0.0f;
// CHECK-NEXT:     float v7;
// CHECK-NEXT:     if (v6) {
// CHECK-NEXT:       const float v8 = h0_helper(v5);
// CHECK-NEXT:       v7 = v8;
// CHECK-NEXT:     } else {
// CHECK-NEXT:       v7 = v5;
// CHECK-NEXT:     }
// CHECK-NEXT:     s3[(i4 % 20)] = v7;
// CHECK-NEXT:     m2[i4] = v7;
// CHECK: #define CANAO_SHARED_BYTES 256
// CHECK-NEXT: #define CANAO_SCRATCH_BYTES 128
// CHECK: k0_kernel(&call, task, c->inputs[0], (void *)(c->arena + 64));
// CHECK: k0_kernel(&call, task, (void *)(c->arena + 64), c->outputs[0]);
