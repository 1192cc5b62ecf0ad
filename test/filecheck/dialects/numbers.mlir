// RUN: canao-opt %s | canao-opt | filecheck %s
// RUN: canao-opt %s --print-op-generic | canao-opt | filecheck %s

// Digits after 0x are the bits of a number, for all elements or among others.
func.func @bits() {
  %low = canao.constant dense<0xFF800000> : tensor<2xf32>
  %one = canao.constant dense<[0x7F800000, 1.0]> : tensor<2xf32>
  %most = arith.constant dense<0xFF800000> : vector<4xf32>
  %some = arith.constant dense<[0x7ff0000000000000, -2.5]> : vector<2xf64>
  %odd = arith.constant dense<16777217.0> : vector<2xf64>
  %mask = arith.constant dense<0xFF> : vector<2xi32>
  func.return
}

// CHECK-LABEL: @bits
// CHECK-NEXT:    %low = canao.constant dense<"0x000080FF"> : tensor<2xf32>
// CHECK-NEXT:    %one = canao.constant dense<"0x0000807F0000803F"> : tensor<2xf32>
// CHECK-NEXT:    %most = arith.constant dense<0xff800000> : vector<4xf32>
// CHECK-NEXT:    %some = arith.constant dense<[0x7ff0000000000000, -2.500000e+00]> : vector<2xf64>
// CHECK-NEXT:    %odd = arith.constant dense<0x4170000010000000> : vector<2xf64>
// CHECK-NEXT:    %mask = arith.constant dense<255> : vector<2xi32>
