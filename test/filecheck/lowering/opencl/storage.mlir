// RUN: canao-opt %s -t opencl | filecheck %s

// Memory of halves: floats everywhere else, which need no extension of the device.

func.func private @scale(%a: memref<16xf16>, %n: memref<1xf16>, %c: memref<16xf16>) attributes {canao.kernel} {
  %x = affine.vector_load %a[8] : memref<16xf16>, vector<8xf16>
  %y = canao_vector.convert %x : vector<8xf16> to vector<8xf32>
  %h = affine.load %n[0] : memref<1xf16>
  %f = arith.extf %h : f16 to f32
  %s = vector.broadcast %f : f32 to vector<8xf32>
  %z = arith.mulf %y, %s : vector<8xf32>
  %r = canao_vector.convert %z : vector<8xf32> to vector<8xf16>
  affine.vector_store %r, %c[0] : memref<16xf16>, vector<8xf16>
  %g = arith.truncf %f : f32 to f16
  affine.store %g, %c[15] : memref<16xf16>
  func.return
}

func.func @main(%w: memref<16xf16>, %n: memref<1xf16>, %arena: memref<32xi8>) attributes {canao.inputs = 0 : i64, canao.weights = 2 : i64, canao.outputs = 0 : i64} {
  %zero = arith.constant 0 : index
  %c = memref.view %arena[%zero][] : memref<32xi8> to memref<16xf16>
  func.call @scale(%w, %n, %c) : (memref<16xf16>, memref<1xf16>, memref<16xf16>) -> ()
  func.return
}

// CHECK:      typedef float8 f32x8;
// CHECK:      void scale_kernel(__global const uchar *restrict base_m1, const ulong start_m1, __global const uchar *restrict base_m2, const ulong start_m2, __global uchar *restrict base_m3, const ulong start_m3) {
// CHECK-NEXT:   __global const half *restrict const m1 = (__global const half *)(base_m1 + start_m1);
// CHECK-NEXT:   __global const half *restrict const m2 = (__global const half *)(base_m2 + start_m2);
// CHECK-NEXT:   __global half *restrict const m3 = (__global half *)(base_m3 + start_m3);
// CHECK-NEXT:   const f32x8 [[X:[tv][0-9]+]] = vloada_half8(0, m1 + 8);
// CHECK-NEXT:   const f32x8 [[Y:[tv][0-9]+]] = [[X]];
// CHECK-NEXT:   const float [[H:[tv][0-9]+]] = vload_half(0, m2);
// CHECK-NEXT:   const float [[F:[tv][0-9]+]] = [[H]];
// CHECK:        const f32x8 [[R:[tv][0-9]+]] = {{[tv][0-9]+}};
// CHECK-NEXT:   vstorea_half8_rte([[R]], 0, m3);
// CHECK-NEXT:   const float [[G:[tv][0-9]+]] = [[F]];
// CHECK-NEXT:   vstore_half_rte([[G]], 0, m3 + 15);
