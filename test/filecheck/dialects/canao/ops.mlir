// RUN: canao-opt %s | canao-opt | filecheck %s
// RUN: canao-opt %s --print-op-generic | canao-opt | filecheck %s

// Every operation prints what it reads.
func.func @ops(%x: tensor<4x8xf32>, %y: tensor<8xf32>, %t: tensor<4x1xi1>) -> tensor<4x8xf32> {
  %c = canao.constant dense<[1.0, 2.5]> : tensor<2xf32>
  %low = canao.constant dense<"0x000080FF"> : tensor<f32>
  %i = canao.constant dense<[0, 3]> : tensor<2xi64>
  %w = canao.weight "encoder.0.weight" : tensor<8x16xf32>
  %add = canao.add %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %sub = canao.sub %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %mul = canao.mul %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %div = canao.div %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %pow = canao.pow %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %max = canao.maximum %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %min = canao.minimum %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %cmp = canao.cmp "lt" %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xi1>
  %and = canao.and %cmp, %t : (tensor<4x8xi1>, tensor<4x1xi1>) -> tensor<4x8xi1>
  %or = canao.or %cmp, %t : (tensor<4x8xi1>, tensor<4x1xi1>) -> tensor<4x8xi1>
  %not = canao.not %t : (tensor<4x1xi1>) -> tensor<4x1xi1>
  %select = canao.select %t, %x, %y : (tensor<4x1xi1>, tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %wrap = canao.wrap %i to ui8 : (tensor<2xi64>) -> tensor<2xi64>
  %neg = canao.neg %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %abs = canao.abs %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %exp = canao.exp %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %log = canao.log %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %tanh = canao.tanh %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %erf = canao.erf %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %sigmoid = canao.sigmoid %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %softsign = canao.softsign %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %sqrt = canao.sqrt %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %rsqrt = canao.rsqrt %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %reciprocal = canao.reciprocal %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %sin = canao.sin %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %cos = canao.cos %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %acos = canao.acos %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %acosh = canao.acosh %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %asin = canao.asin %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %asinh = canao.asinh %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %atan = canao.atan %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %atanh = canao.atanh %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %cosh = canao.cosh %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %exp2 = canao.exp2 %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %expm1 = canao.expm1 %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %log10 = canao.log10 %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %log1p = canao.log1p %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %log2 = canao.log2 %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %sinh = canao.sinh %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %tan = canao.tan %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %atan2 = canao.atan2 %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %copysign = canao.copysign %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %floor = canao.floor %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %ceil = canao.ceil %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %trunc = canao.trunc %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %round = canao.round %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %keep_rounding = canao.keep_rounding %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %fmod = canao.fmod %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %cast = canao.cast %x : (tensor<4x8xf32>) -> tensor<4x8xf64>
  %sum = canao.reduce_sum %x axes [0, 1] : (tensor<4x8xf32>) -> tensor<1x1xf32>
  %largest = canao.reduce_max %x axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
  %least = canao.reduce_min %x axes [0] : (tensor<4x8xf32>) -> tensor<1x8xf32>
  %matmul = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
  %transpose = canao.transpose %x [1, 0] : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %reshape = canao.reshape %x : (tensor<4x8xf32>) -> tensor<2x16xf32>
  %slice = canao.slice %x starts [1, 0] steps [1, 3] : (tensor<4x8xf32>) -> tensor<3x3xf32>
  %broadcast = canao.broadcast %y : (tensor<8xf32>) -> tensor<2x3x8xf32>
  %concat = canao.concat %x, %x axis 1 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x16xf32>
  %gather = canao.gather %w at %i : (tensor<8x16xf32>, tensor<2xi64>) -> tensor<2x16xf32>
  %gathers = canao.gather %w at %i, %i : (tensor<8x16xf32>, tensor<2xi64>, tensor<2xi64>) -> tensor<2xf32>
  %pack = canao.pack %w panel 6 : (tensor<8x16xf32>) -> tensor<3x8x6xf32>
  %softmax = canao.softmax %x axis 1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %masked = canao.softmax %x axis 0 masked_rows_to_zero : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %norm = canao.layer_norm %x, %y, %y epsilon 1.000000e-05 : f64 : (tensor<4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %zeros = canao.layer_norm %x, %y, %y epsilon 1.000000e-05 : f64 overflow_to_zero : (tensor<4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %gelu = canao.gelu %x approximate "none" : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %fast = canao.gelu %x approximate "tanh" : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %layer = canao.layer(%a = %x, %b = %y) : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32> {
    %s = canao.add %a, %b : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
    canao.yield %s : tensor<4x8xf32>
  }
  func.return %layer : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @ops(
// CHECK-NEXT:   %c = canao.constant dense<[1.000000e+00, 2.500000e+00]> : tensor<2xf32>
// CHECK-NEXT:   %low = canao.constant dense<"0x000080FF"> : tensor<f32>
// CHECK-NEXT:   %i = canao.constant dense<[0, 3]> : tensor<2xi64>
// CHECK-NEXT:   %w = canao.weight "encoder.0.weight" : tensor<8x16xf32>
// CHECK-NEXT:   %add = canao.add %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %sub = canao.sub %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %mul = canao.mul %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %div = canao.div %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %pow = canao.pow %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %max = canao.maximum %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %min = canao.minimum %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %cmp = canao.cmp "lt" %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xi1>
// CHECK-NEXT:   %and = canao.and %cmp, %t : (tensor<4x8xi1>, tensor<4x1xi1>) -> tensor<4x8xi1>
// CHECK-NEXT:   %or = canao.or %cmp, %t : (tensor<4x8xi1>, tensor<4x1xi1>) -> tensor<4x8xi1>
// CHECK-NEXT:   %not = canao.not %t : (tensor<4x1xi1>) -> tensor<4x1xi1>
// CHECK-NEXT:   %select = canao.select %t, %x, %y : (tensor<4x1xi1>, tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %wrap = canao.wrap %i to ui8 : (tensor<2xi64>) -> tensor<2xi64>
// CHECK-NEXT:   %neg = canao.neg %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %abs = canao.abs %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %exp = canao.exp %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %log = canao.log %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %tanh = canao.tanh %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %erf = canao.erf %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %sigmoid = canao.sigmoid %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %softsign = canao.softsign %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %sqrt = canao.sqrt %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %rsqrt = canao.rsqrt %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %reciprocal = canao.reciprocal %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %sin = canao.sin %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %cos = canao.cos %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %acos = canao.acos %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %acosh = canao.acosh %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %asin = canao.asin %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %asinh = canao.asinh %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %atan = canao.atan %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %atanh = canao.atanh %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %cosh = canao.cosh %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %exp2 = canao.exp2 %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %expm1 = canao.expm1 %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %log10 = canao.log10 %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %log1p = canao.log1p %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %log2 = canao.log2 %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %sinh = canao.sinh %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %tan = canao.tan %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %atan2 = canao.atan2 %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %copysign = canao.copysign %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %floor = canao.floor %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %ceil = canao.ceil %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %trunc = canao.trunc %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %round = canao.round %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %keep_rounding = canao.keep_rounding %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %fmod = canao.fmod %x, %y : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %cast = canao.cast %x : (tensor<4x8xf32>) -> tensor<4x8xf64>
// CHECK-NEXT:   %sum = canao.reduce_sum %x axes [0, 1] : (tensor<4x8xf32>) -> tensor<1x1xf32>
// CHECK-NEXT:   %largest = canao.reduce_max %x axes [1] : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT:   %least = canao.reduce_min %x axes [0] : (tensor<4x8xf32>) -> tensor<1x8xf32>
// CHECK-NEXT:   %matmul = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
// CHECK-NEXT:   %transpose = canao.transpose %x [1, 0] : (tensor<4x8xf32>) -> tensor<8x4xf32>
// CHECK-NEXT:   %reshape = canao.reshape %x : (tensor<4x8xf32>) -> tensor<2x16xf32>
// CHECK-NEXT:   %slice = canao.slice %x starts [1, 0] steps [1, 3] : (tensor<4x8xf32>) -> tensor<3x3xf32>
// CHECK-NEXT:   %broadcast = canao.broadcast %y : (tensor<8xf32>) -> tensor<2x3x8xf32>
// CHECK-NEXT:   %concat = canao.concat %x, %x axis 1 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x16xf32>
// CHECK-NEXT:   %gather = canao.gather %w at %i : (tensor<8x16xf32>, tensor<2xi64>) -> tensor<2x16xf32>
// CHECK-NEXT:   %gathers = canao.gather %w at %i, %i : (tensor<8x16xf32>, tensor<2xi64>, tensor<2xi64>) -> tensor<2xf32>
// CHECK-NEXT:   %pack = canao.pack %w panel 6 : (tensor<8x16xf32>) -> tensor<3x8x6xf32>
// CHECK-NEXT:   %softmax = canao.softmax %x axis 1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %masked = canao.softmax %x axis 0 masked_rows_to_zero : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %norm = canao.layer_norm %x, %y, %y epsilon 1.000000e-05 : f64 : (tensor<4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %zeros = canao.layer_norm %x, %y, %y epsilon 1.000000e-05 : f64 overflow_to_zero : (tensor<4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %gelu = canao.gelu %x approximate "none" : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %fast = canao.gelu %x approximate "tanh" : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   %layer = canao.layer(%a = %x, %b = %y) : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT:   %s = canao.add %a, %b : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT:   canao.yield %s : tensor<4x8xf32>
// CHECK-NEXT:   }
// CHECK-NEXT:   func.return %layer : tensor<4x8xf32>
