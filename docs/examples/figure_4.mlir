// The worked example of docs/polyhedral.md: Figure 4 of the paper. A test checks
// that every piece of C shown there stands here, and lit checks that the compiler
// prints it.
//
// RUN: canao-opt %s -p canao-simplify,lp-fusion,outline-weights,expand-composites,lower-canao-to-affine{variants=true},plan-memory -t c | filecheck %s

func.func @main(%in0: tensor<32x64xf32>, %in1: tensor<32x64xf32>, %in2: tensor<64xf32>, %in3: tensor<64xf32>) -> tensor<32x64xf32> {
  %mul1 = canao.mul %in0, %in1 : (tensor<32x64xf32>, tensor<32x64xf32>) -> tensor<32x64xf32>
  %mul2 = canao.mul %in2, %in3 : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  %add = canao.add %mul1, %mul2 : (tensor<32x64xf32>, tensor<64xf32>) -> tensor<32x64xf32>
  func.return %add : tensor<32x64xf32>
}

// CHECK:      /* kernel_0 */
// CHECK-NEXT: CANAO_KERNEL void k0_kernel_0(CANAO_UNUSED const canao_call *call, const long task, const float *restrict m1, const float *restrict m2, const float *restrict m3, const float *restrict m4, float *restrict m5) {
// CHECK-NEXT:   const long i6 = task;
// CHECK-NEXT:   for (long i8 = 0; i8 < 8; ++i8) {
// CHECK-NEXT:     for (long i9 = 0; i9 < 8; ++i9) {
// CHECK-NEXT:       const f32x4 v10 = *(const f32x4_mem *)(m1 + i6 * 512 + i8 * 64 + i9 * 8);
// CHECK-NEXT:       const f32x4 v11 = *(const f32x4_mem *)(m2 + i6 * 512 + i8 * 64 + i9 * 8);
// CHECK-NEXT:       const f32x4 v12 = v10 * v11;
// CHECK-NEXT:       const f32x4 v13 = *(const f32x4_mem *)(m3 + i9 * 8);
// CHECK-NEXT:       const f32x4 v14 = *(const f32x4_mem *)(m4 + i9 * 8);
// CHECK-NEXT:       const f32x4 v15 = v13 * v14;
// CHECK-NEXT:       const f32x4 v16 = v12 + v15;
// CHECK-NEXT:       *(f32x4_mem *)(m5 + i6 * 512 + i8 * 64 + i9 * 8) = v16;
// CHECK-NEXT:       const f32x4 v17 = *(const f32x4_mem *)(m1 + i6 * 512 + i8 * 64 + i9 * 8 + 4);
// CHECK-NEXT:       const f32x4 v18 = *(const f32x4_mem *)(m2 + i6 * 512 + i8 * 64 + i9 * 8 + 4);
// CHECK-NEXT:       const f32x4 v19 = v17 * v18;
// CHECK-NEXT:       const f32x4 v20 = *(const f32x4_mem *)(m3 + i9 * 8 + 4);
// CHECK-NEXT:       const f32x4 v21 = *(const f32x4_mem *)(m4 + i9 * 8 + 4);
// CHECK-NEXT:       const f32x4 v22 = v20 * v21;
// CHECK-NEXT:       const f32x4 v23 = v19 + v22;
// CHECK-NEXT:       *(f32x4_mem *)(m5 + i6 * 512 + i8 * 64 + i9 * 8 + 4) = v23;
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT: }

// CHECK:      /* kernel_0_variant_1 */
// CHECK-NEXT: CANAO_KERNEL void k1_kernel_0_variant_1(CANAO_UNUSED const canao_call *call, const long task, const float *restrict m1, const float *restrict m2, const float *restrict m3, const float *restrict m4, float *restrict m5) {
// CHECK-NEXT:   const long i6 = task;
// CHECK-NEXT:   for (long i8 = 0; i8 < 8; ++i8) {
// CHECK-NEXT:     const f32x4 v9 = *(const f32x4_mem *)(m3 + i8 * 8);
// CHECK-NEXT:     const f32x4 v10 = *(const f32x4_mem *)(m4 + i8 * 8);
// CHECK-NEXT:     const f32x4 v11 = v9 * v10;
// CHECK-NEXT:     const f32x4 v12 = *(const f32x4_mem *)(m3 + i8 * 8 + 4);
// CHECK-NEXT:     const f32x4 v13 = *(const f32x4_mem *)(m4 + i8 * 8 + 4);
// CHECK-NEXT:     const f32x4 v14 = v12 * v13;
// CHECK-NEXT:     for (long i15 = 0; i15 < 8; ++i15) {
// CHECK-NEXT:       const f32x4 v16 = *(const f32x4_mem *)(m1 + i6 * 512 + i8 * 8 + i15 * 64);
// CHECK-NEXT:       const f32x4 v17 = *(const f32x4_mem *)(m2 + i6 * 512 + i8 * 8 + i15 * 64);
// CHECK-NEXT:       const f32x4 v18 = v16 * v17;
// CHECK-NEXT:       const f32x4 v19 = v18 + v11;
// CHECK-NEXT:       *(f32x4_mem *)(m5 + i6 * 512 + i8 * 8 + i15 * 64) = v19;
// CHECK-NEXT:       const f32x4 v20 = *(const f32x4_mem *)(m1 + i6 * 512 + i8 * 8 + i15 * 64 + 4);
// CHECK-NEXT:       const f32x4 v21 = *(const f32x4_mem *)(m2 + i6 * 512 + i8 * 8 + i15 * 64 + 4);
// CHECK-NEXT:       const f32x4 v22 = v20 * v21;
// CHECK-NEXT:       const f32x4 v23 = v22 + v14;
// CHECK-NEXT:       *(f32x4_mem *)(m5 + i6 * 512 + i8 * 8 + i15 * 64 + 4) = v23;
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT: }
