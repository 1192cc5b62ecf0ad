"""The controller learns, is the same by seed, and goes on from its state."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from unit.nas.search_support import SPACE, accuracy_of, latency_of

from canao.nas.controller.controller import Controller
from canao.nas.controller.controller_state import restore, state_of
from canao.nas.controller.reinforce import Reinforce
from canao.nas.controller.replay import Experience, Settings
from canao.nas.space.objectives import default_goal

FAST = Settings(phase_one=4, updates=3)


def _run(learner: Reinforce, past: list[Experience], count: int) -> list[Experience]:
    """Let a learner propose and learn until there are `count` experiences."""
    while len(past) < count:
        known = {experience.architecture.key for experience in past}
        proposal = learner.propose(len(past), known, past)
        architecture = proposal.decided.architecture
        values = {"accuracy": accuracy_of(architecture), "latency_ms": latency_of(architecture)}
        past.append(Experience(len(past), architecture, values, proposal.decided.log_probs))
        learner.learn(past)
    return past


def _space_architectures(count: int) -> list[Experience]:
    controller = Controller(SPACE)
    drawn = controller.draw(count, torch.Generator().manual_seed(3), torch.zeros((count, 0)))
    return [
        Experience(n, d.architecture, {"accuracy": accuracy_of(d.architecture)}, d.log_probs)
        for n, d in enumerate(drawn)
    ]


def test_decisions_lead_back_to_architectures() -> None:
    controller = Controller(SPACE, seed=1)
    generator = torch.Generator().manual_seed(0)
    for decided in controller.draw(50, generator, torch.zeros((50, 0))):
        assert decided.architecture in SPACE
        decisions = controller.decisions_of(decided.architecture)
        assert controller.architecture_of(decisions) == decided.architecture
        row = torch.zeros((1, controller.steps), dtype=torch.int64)
        row[0, : len(decisions)] = torch.tensor(decisions)
        scored = controller.score(row, torch.zeros((1, 0)))
        assert scored.mask.sum() == len(decisions) == len(decided.log_probs)
        expected = scored.log_probs[0, : len(decisions)].tolist()
        assert decided.log_probs == pytest.approx(expected, abs=1e-5)


def test_all_sizes_are_equally_likely_at_first() -> None:
    beliefs = Controller(SPACE, 2, seed=5).beliefs(torch.tensor([[0.5, 0.5]]))
    for likely in beliefs.values():
        assert likely == pytest.approx([1 / len(likely)] * len(likely), abs=1e-6)


@pytest.mark.parametrize("imagined", [0, 8])
def test_the_controller_learns_what_pays(imagined: int) -> None:
    settings = Settings(phase_one=0, updates=20, imagined=imagined, entropy=0.01)
    goal = default_goal(1000.0)
    learner = Reinforce(SPACE, goal, settings)
    past = [
        Experience(e.number, e.architecture, {**e.values, "latency_ms": 1.0}, e.log_probs)
        for e in _space_architectures(8)
    ]
    before = learner.controller.beliefs(torch.zeros((64, 0)))["num_blocks"]
    learner.learn(past)
    after = learner.controller.beliefs(torch.zeros((64, 0)))["num_blocks"]
    accuracy = np.array([0.0, 1.0, 2.0, 3.0])
    # Deeper is more accurate, and nothing else counts here.
    assert np.dot(after, accuracy) > np.dot(before, accuracy) + 0.1


def test_phase_one_teaches_blocks_alone_and_phase_two_sizes_alone() -> None:
    learner = Reinforce(SPACE, default_goal(None), Settings(phase_one=8, updates=3))
    assert learner.phase == 1
    past = _run(learner, [], 7)
    weights = torch.tensor([[0.5, 0.5]])
    assert learner.phase == 1
    _run(learner, past, 8)
    assert learner.phase == 2
    decided = learner.blocks(weights)
    assert decided is not None
    assert float(decided.sum()) == pytest.approx(1.0)
    _run(learner, past, 12)
    still = learner.blocks(weights)
    assert still is not None
    assert torch.equal(decided, still)


def test_the_seed_decides_everything() -> None:
    goal = default_goal(None)
    keys = [
        [e.architecture.key for e in _run(Reinforce(SPACE, goal, settings), [], 10)]
        for settings in (FAST, FAST, Settings(seed=1, phase_one=4, updates=3))
    ]
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]
    assert len(set(keys[0])) == 10


@pytest.mark.parametrize("stop", [3, 7])
def test_a_restored_controller_goes_on_as_if_it_had_not_stopped(stop: int) -> None:
    goal = default_goal(None)
    whole = _run(Reinforce(SPACE, goal, FAST), [], 11)
    first = Reinforce(SPACE, goal, FAST)
    past = _run(first, [], stop)
    second = Reinforce(SPACE, goal, FAST)
    assert restore(second, state_of(first))
    assert (second.absorbed, second.phase) == (first.absorbed, first.phase)
    assert [e.architecture for e in _run(second, past, 11)] == [e.architecture for e in whole]


def test_states_of_others_are_refused() -> None:
    goal = default_goal(None)
    learner = Reinforce(SPACE, goal, FAST)
    other = Reinforce(SPACE, default_goal(1.0), FAST)
    sound = state_of(learner)
    for state in (
        state_of(other),
        {},
        {**sound, "version": 0},
        {**sound, "tensors": "AAAA"},
        {**sound, "tensors": sound["tensors"][:100]},
        {**sound, "tensors": 5},
    ):
        assert not restore(learner, state)
    assert learner.absorbed == []
    assert restore(learner, sound)


def test_budgets_keep_the_controller_from_what_is_too_slow() -> None:
    learner = Reinforce(SPACE, default_goal(0.6), Settings(phase_one=0, updates=2))
    past: list[Experience] = []
    for number in range(20):
        known = {e.architecture.key for e in past}
        decided = learner.propose(number, known, past).decided
        values = {"latency_ms": latency_of(decided.architecture)}
        if values["latency_ms"] <= 0.6:
            values["accuracy"] = accuracy_of(decided.architecture)
        past.append(Experience(number, decided.architecture, values, decided.log_probs))
        learner.learn(past)
    over = [e.values["latency_ms"] > 0.6 for e in past[10:]]
    unlearned = Reinforce(SPACE, default_goal(None), Settings(seed=1))
    drawn = [unlearned.propose(number, (), []).decided.architecture for number in range(2, 102)]
    assert sum(over) / 10 < sum(latency_of(a) > 0.6 for a in drawn) / 100
