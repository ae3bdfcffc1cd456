"""A model of one weight, and a run over a few losses."""

from __future__ import annotations

from typing import Any

import torch
from earlystop.adapters.torch import Training, unwrapped

import earlystop as es

LOSSES = [5.0, 3.0, 4.0, 4.0, 2.0, 1.0]


def linear(value: float = -1.0) -> torch.nn.Linear:
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, value)
    return model


def train(training: Training, model: Any, losses: list[float] = LOSSES) -> list[es.Decision]:
    decisions = []
    for epoch in training.epochs(len(losses)):
        torch.nn.init.constant_(unwrapped(model).weight, epoch)
        decisions.append(training.step(loss=losses[epoch]))
    return decisions


def stopper(n: int = 2) -> es.Stopper:
    return es.EarlyStopping("loss", patience=n)
