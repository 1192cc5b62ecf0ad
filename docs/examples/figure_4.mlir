// The worked example of docs/polyhedral.md: Figure 4 of the paper. A test checks
// that every piece of C shown there stands here, and lit checks that the compiler
// prints it.
//
// RUN: canao-opt %s -p canao-simplify,lp-fusion,outline-weights,name-layers,expand-composites,lower-canao-to-affine{variants=true},plan-memory -t c | filecheck %s

func.func @main(%in0: tensor<32x64xf32>, %in1: tensor<32x64xf32>, %in2: tensor<64xf32>, %in3: tensor<64xf32>) -> tensor<32x64xf32> {
  %mul1 = canao.mul %in0, %in1 : (tensor<32x64xf32>, tensor<32x64xf32>) -> tensor<32x64xf32>
  %mul2 = canao.mul %in2, %in3 : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  %add = canao.add %mul1, %mul2 : (tensor<32x64xf32>, tensor<64xf32>) -> tensor<32x64xf32>
  func.return %add : tensor<32x64xf32>
}

// CHECK:      CANAO_KERNEL void elementwise_mul_add_32x64(CANAO_UNUSED const canao_call *call, const long task, const float *restrict input, const float *restrict input_2, const float *restrict input_3, const float *restrict input_4, float *restrict output) {
// CHECK-NEXT:   const long row_block = task;
// CHECK-NEXT:   for (long row = 0; row < 8; ++row) {
// CHECK-NEXT:     for (long column_tile = 0; column_tile < 8; ++column_tile) {
// CHECK-NEXT:       const f32x4 x1 = *(const f32x4_mem *)(input + row_block * 512 + row * 64 + column_tile * 8);
// CHECK-NEXT:       const f32x4 x2 = *(const f32x4_mem *)(input_2 + row_block * 512 + row * 64 + column_tile * 8);
// CHECK-NEXT:       const f32x4 t1 = x1 * x2;
// CHECK-NEXT:       const f32x4 x3 = *(const f32x4_mem *)(input_3 + column_tile * 8);
// CHECK-NEXT:       const f32x4 x4 = *(const f32x4_mem *)(input_4 + column_tile * 8);
// CHECK-NEXT:       const f32x4 t2 = x3 * x4;
// CHECK-NEXT:       const f32x4 t3 = t1 + t2;
// CHECK-NEXT:       *(f32x4_mem *)(output + row_block * 512 + row * 64 + column_tile * 8) = t3;
// CHECK-NEXT:       const f32x4 x5 = *(const f32x4_mem *)(input + row_block * 512 + row * 64 + column_tile * 8 + 4);
// CHECK-NEXT:       const f32x4 x6 = *(const f32x4_mem *)(input_2 + row_block * 512 + row * 64 + column_tile * 8 + 4);
// CHECK-NEXT:       const f32x4 t4 = x5 * x6;
// CHECK-NEXT:       const f32x4 x7 = *(const f32x4_mem *)(input_3 + column_tile * 8 + 4);
// CHECK-NEXT:       const f32x4 x8 = *(const f32x4_mem *)(input_4 + column_tile * 8 + 4);
// CHECK-NEXT:       const f32x4 t5 = x7 * x8;
// CHECK-NEXT:       const f32x4 t6 = t4 + t5;
// CHECK-NEXT:       *(f32x4_mem *)(output + row_block * 512 + row * 64 + column_tile * 8 + 4) = t6;
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT: }

// CHECK:      CANAO_KERNEL void elementwise_mul_add_32x64_variant_1(CANAO_UNUSED const canao_call *call, const long task, const float *restrict input, const float *restrict input_2, const float *restrict input_3, const float *restrict input_4, float *restrict output) {
// CHECK-NEXT:   const long row_block = task;
// CHECK-NEXT:   for (long column_tile = 0; column_tile < 8; ++column_tile) {
// CHECK-NEXT:     const f32x4 x1 = *(const f32x4_mem *)(input_3 + column_tile * 8);
// CHECK-NEXT:     const f32x4 x2 = *(const f32x4_mem *)(input_4 + column_tile * 8);
// CHECK-NEXT:     const f32x4 t1 = x1 * x2;
// CHECK-NEXT:     const f32x4 x3 = *(const f32x4_mem *)(input_3 + column_tile * 8 + 4);
// CHECK-NEXT:     const f32x4 x4 = *(const f32x4_mem *)(input_4 + column_tile * 8 + 4);
// CHECK-NEXT:     const f32x4 t2 = x3 * x4;
// CHECK-NEXT:     for (long row = 0; row < 8; ++row) {
// CHECK-NEXT:       const f32x4 x5 = *(const f32x4_mem *)(input + row_block * 512 + column_tile * 8 + row * 64);
// CHECK-NEXT:       const f32x4 x6 = *(const f32x4_mem *)(input_2 + row_block * 512 + column_tile * 8 + row * 64);
// CHECK-NEXT:       const f32x4 t3 = x5 * x6;
// CHECK-NEXT:       const f32x4 t4 = t3 + t1;
// CHECK-NEXT:       *(f32x4_mem *)(output + row_block * 512 + column_tile * 8 + row * 64) = t4;
// CHECK-NEXT:       const f32x4 x7 = *(const f32x4_mem *)(input + row_block * 512 + column_tile * 8 + row * 64 + 4);
// CHECK-NEXT:       const f32x4 x8 = *(const f32x4_mem *)(input_2 + row_block * 512 + column_tile * 8 + row * 64 + 4);
// CHECK-NEXT:       const f32x4 t5 = x7 * x8;
// CHECK-NEXT:       const f32x4 t6 = t5 + t2;
// CHECK-NEXT:       *(f32x4_mem *)(output + row_block * 512 + column_tile * 8 + row * 64 + 4) = t6;
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT: }
