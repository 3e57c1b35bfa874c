"""Bringing nets in, for the tests of the importer: saving one, asking for it, and comparing answers."""

import torch

from cemviz.backend.device import choose
from cemviz.backend.foreign.bring import bring
from cemviz.backend.requests import ImportRequest
from cemviz.backend.studio import Studio
from cemviz.backend.use_case import follow
from cemviz.data import images


def brought(source, **asked):
    return follow(bring(Studio(choose("cpu")), ImportRequest(source, **{"dataset": "stripes"} | asked)))[-1]


def saved(net, name="net.pt", **beside):
    torch.save({"state_dict": net.state_dict(), **beside} if beside else net.state_dict(), name)
    return name


def apart(net, theirs, x):
    with torch.no_grad():
        f = theirs(x)
        return ((net(x) - f).abs().max() / f.abs().max()).item()


def stripes():
    test = images.load("stripes", "test")
    return test.floats(), test.labels
