// RUN: not canao-opt %s -p convert-torch-to-canao 2>&1 | filecheck %s

// The source line is known where the importer noted it.
func.func @main(%a: !torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> {
  %b = "torch.aten.tanh"(%a) : (!torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32>
  %c = "torch.aten.digamma"(%b) {canao.loc = "model.py:12 in forward"} : (!torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32>
  func.return %c : !torch.vtensor<[2],f32>
}

// CHECK: operator 'aten.digamma' at model.py:12 in forward is not supported
