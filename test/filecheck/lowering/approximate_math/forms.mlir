// RUN: canao-opt %s -p approximate-math | filecheck %s
// RUN: canao-opt %s -p approximate-math | canao-opt | filecheck %s

func.func @f(%v : vector<8xf32>) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>) {
  %0 = math.exp %v : vector<8xf32>
  %1 = math.erf %v : vector<8xf32>
  %2 = math.tanh %v : vector<8xf32>
  func.return %0, %1, %2 : vector<8xf32>, vector<8xf32>, vector<8xf32>
}

// Clamped with the constant on the left, which keeps NaN; 2^n from the bits of n + 127.
// CHECK:      func.func private @exp_f32x8([[X:%.*]]: vector<8xf32>)
// CHECK-NEXT:   [[LOW:%.*]] = arith.constant dense<-8.800000e+01>
// CHECK-NEXT:   [[RAISED:%.*]] = arith.maximumf [[LOW]], [[X]]
// CHECK-NEXT:   [[HIGH:%.*]] = arith.constant dense<8.900000e+01>
// CHECK-NEXT:   arith.minimumf [[HIGH]], [[RAISED]]
// CHECK:        arith.constant dense<1262485631> : vector<8xi32>
// CHECK-NEXT:   arith.bitcast {{.*}} : vector<8xi32> to vector<8xf32>
// CHECK:        arith.shli {{.*}} : vector<8xi32>
// CHECK-NEXT:   [[SCALE:%.*]] = arith.bitcast {{.*}} : vector<8xi32> to vector<8xf32>
// CHECK-NEXT:   [[RESULT:%.*]] = arith.mulf {{%.*}}, [[SCALE]]
// CHECK-NEXT:   func.return [[RESULT]]

// No division.
// CHECK:      func.func private @erf_f32x8
// CHECK-NOT:    arith.divf

// One division.
// CHECK:      func.func private @tanh_f32x8
// CHECK:        [[RESULT:%.*]] = arith.divf
// CHECK-NEXT:   func.return [[RESULT]]
