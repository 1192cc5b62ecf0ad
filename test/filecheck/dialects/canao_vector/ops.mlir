// RUN: canao-opt %s | canao-opt | filecheck %s
// RUN: canao-opt %s --print-op-generic | canao-opt | filecheck %s

func.func @ops(%x: vector<8xf32>, %y: vector<8xf32>, %n: vector<8xi64>) {
  %m = canao_vector.cmp "lt" %x, %y : vector<8xf32> -> vector<8xi1>
  %k = canao_vector.cmp "ne" %n, %n : vector<8xi64> -> vector<8xi1>
  %s = canao_vector.select %m, %x, %y : vector<8xi1>, vector<8xf32>
  %t = canao_vector.select %k, %m, %k : vector<8xi1>, vector<8xi1>
  %a = canao_vector.convert %m : vector<8xi1> to vector<8xf32>
  %b = canao_vector.convert %x : vector<8xf32> to vector<8xi64>
  %h = canao_vector.keep %x : vector<8xf32>
  %o = canao_vector.in_order %h : vector<8xf32>
  %f = canao_vector.fmod %x, %y : vector<8xf32>
  %r = canao_vector.keep_rounding %f : vector<8xf32>
  func.return
}

// CHECK:      %m = canao_vector.cmp "lt" %x, %y : vector<8xf32> -> vector<8xi1>
// CHECK-NEXT: %k = canao_vector.cmp "ne" %n, %n : vector<8xi64> -> vector<8xi1>
// CHECK-NEXT: %s = canao_vector.select %m, %x, %y : vector<8xi1>, vector<8xf32>
// CHECK-NEXT: %t = canao_vector.select %k, %m, %k : vector<8xi1>, vector<8xi1>
// CHECK-NEXT: %a = canao_vector.convert %m : vector<8xi1> to vector<8xf32>
// CHECK-NEXT: %b = canao_vector.convert %x : vector<8xf32> to vector<8xi64>
// CHECK-NEXT: %h = canao_vector.keep %x : vector<8xf32>
// CHECK-NEXT: %o = canao_vector.in_order %h : vector<8xf32>
// CHECK-NEXT: %f = canao_vector.fmod %x, %y : vector<8xf32>
// CHECK-NEXT: %r = canao_vector.keep_rounding %f : vector<8xf32>
