// RUN: canao-opt %s -p approximate-math --split-input-file | filecheck %s

// One helper a function and type, after what was there; the two exp of a vector share one.
// CHECK-LABEL: func.func @calls
func.func @calls(%x : f32, %v : vector<16xf32>) -> (f32, vector<16xf32>, vector<16xf32>) {
  // CHECK-NEXT: func.call @exp_f32(%x) : (f32) -> f32
  // CHECK-NEXT: func.call @exp_f32x16(%v) : (vector<16xf32>) -> vector<16xf32>
  // CHECK-NEXT: func.call @erf_f32x16({{%.*}}) : (vector<16xf32>) -> vector<16xf32>
  // CHECK-NEXT: func.call @tanh_f32x16(%v) : (vector<16xf32>) -> vector<16xf32>
  // CHECK-NEXT: func.call @exp_f32x16({{%.*}}) : (vector<16xf32>) -> vector<16xf32>
  // CHECK-NEXT: func.return
  %0 = math.exp %x : f32
  %1 = math.exp %v : vector<16xf32>
  %2 = math.erf %1 : vector<16xf32>
  %3 = math.tanh %v : vector<16xf32>
  %4 = math.exp %2 : vector<16xf32>
  func.return %0, %3, %4 : f32, vector<16xf32>, vector<16xf32>
}
// CHECK:      func.func private @exp_f32({{%.*}}: f32) -> f32 {
// CHECK:      func.func private @exp_f32x16({{%.*}}: vector<16xf32>) -> vector<16xf32> {
// CHECK:      func.func private @erf_f32x16({{%.*}}: vector<16xf32>) -> vector<16xf32> {
// CHECK:      func.func private @tanh_f32x16({{%.*}}: vector<16xf32>) -> vector<16xf32> {
// CHECK-NOT:  func.func

// -----

// Other element types and functions without an approximation stay as they are.
// CHECK-LABEL: func.func @untouched
func.func @untouched(%d : f64, %v : vector<8xf64>, %x : f32) -> (f64, vector<8xf64>, f32) {
  // CHECK-NEXT: math.exp %d : f64
  // CHECK-NEXT: math.tanh %v : vector<8xf64>
  // CHECK-NEXT: math.log %x : f32
  // CHECK-NEXT: func.return
  %0 = math.exp %d : f64
  %1 = math.tanh %v : vector<8xf64>
  %2 = math.log %x : f32
  func.return %0, %1, %2 : f64, vector<8xf64>, f32
}
// CHECK-NOT:  func.func private

// -----

// Calls are placed where the operation was, inside loops too.
// CHECK-LABEL: func.func @in_loop
func.func @in_loop(%buffer : memref<64xf32>) {
  %zero = arith.constant 0 : index
  %end = arith.constant 64 : index
  %step = arith.constant 4 : index
  // CHECK: scf.for
  scf.for %i = %zero to %end step %step {
    // CHECK-NEXT: vector.load
    // CHECK-NEXT: func.call @erf_f32x4
    // CHECK-NEXT: vector.store
    %v = vector.load %buffer[%i] : memref<64xf32>, vector<4xf32>
    %e = math.erf %v : vector<4xf32>
    vector.store %e, %buffer[%i] : memref<64xf32>, vector<4xf32>
  }
  func.return
}
