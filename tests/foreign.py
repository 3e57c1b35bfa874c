"""Nets as other projects build them, with their names of modules, written from their papers for the tests of the importer."""

import torch
from conftest import draw_weights
from torch import Tensor, nn
from torch.nn import functional as F


def conv(inside: int, outside: int, side: int = 3, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, side, stride, side // 2, bias=bias)


class Basic(nn.Module):
    """Two convolutions with norms behind them; `skip` is what the project calls its shortcut."""

    widens = 1

    def __init__(self, inside: int, width: int, stride: int, skip: str) -> None:
        super().__init__()
        self.skip = skip
        self.conv1, self.bn1 = conv(inside, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width), nn.BatchNorm2d(width)
        self._short(inside, width, stride)

    def _short(self, inside: int, outside: int, stride: int) -> None:
        if stride != 1 or inside != outside:
            setattr(self, self.skip, nn.Sequential(conv(inside, outside, 1, stride), nn.BatchNorm2d(outside)))

    def beside(self, x: Tensor) -> Tensor:
        return getattr(self, self.skip)(x) if hasattr(self, self.skip) else x

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.beside(x))


class Deep(Basic):
    """A bottleneck."""

    widens = 4

    def __init__(self, inside: int, width: int, stride: int, skip: str) -> None:
        nn.Module.__init__(self)
        self.skip = skip
        self.conv1, self.bn1 = conv(inside, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, 4 * width, 1), nn.BatchNorm2d(4 * width)
        self._short(inside, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        return F.relu(self.bn3(self.conv3(out)) + self.beside(x))


class PreActive(nn.Module):
    """A pre-activated block as in RobustBench, whose shortcut reads the raw input or the active one."""

    widens = 1

    def __init__(self, inside: int, width: int, stride: int, raw: bool) -> None:
        super().__init__()
        self.raw = raw
        self.bn1, self.conv1 = nn.BatchNorm2d(inside), conv(inside, width, 3, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(width), conv(width, width)
        if stride != 1 or inside != width:
            self.shortcut = nn.Sequential(conv(inside, width, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(x))
        beside = self.shortcut(x if self.raw else out) if hasattr(self, "shortcut") else x
        return self.conv2(F.relu(self.bn2(self.conv1(out)))) + beside


class ResNet(nn.Module):
    """Four stages layer1 ... layer4; the head is `linear` in robustness and RobustBench."""

    def __init__(self, block, repeats, extra, width=4, classes=10, first=True, last=False) -> None:
        super().__init__()
        self.conv1 = conv(3, width)
        if first:
            self.bn1 = nn.BatchNorm2d(width)
        inside = width
        for stage, size in enumerate(repeats):
            outside, blocks = width * 2**stage, []
            for i in range(size):
                blocks.append(block(inside, outside, 2 if stage and not i else 1, extra))
                inside = block.widens * outside
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        if last:
            self.bn = nn.BatchNorm2d(inside)
        self.linear = nn.Linear(inside, classes)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(x)
        out = F.relu(self.bn1(out)) if hasattr(self, "bn1") else out
        out = self.layer4(self.layer3(self.layer2(self.layer1(out))))
        out = F.relu(self.bn(out)) if hasattr(self, "bn") else out
        return self.linear(F.adaptive_avg_pool2d(out, 1).flatten(1))


class TradesBlock(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inside), conv(inside, outside, 3, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outside), conv(outside, outside)
        self.convShortcut = None if inside == outside else conv(inside, outside, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.bn1(x))
        out = self.conv2(F.relu(self.bn2(self.conv1(active))))
        return out + (x if self.convShortcut is None else self.convShortcut(active))


class TradesGroup(nn.Module):
    def __init__(self, inside: int, outside: int, size: int, stride: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(*[TradesBlock(outside if i else inside, outside, 1 if i else stride) for i in range(size)])

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class Trades(nn.Module):
    """WRN of TRADES, with the group that it holds and never uses."""

    def __init__(self, depth: int = 16, widen: int = 2, classes: int = 10) -> None:
        super().__init__()
        size, widths = (depth - 4) // 6, [16, 16 * widen, 32 * widen, 64 * widen]
        self.conv1 = conv(3, 16)
        self.block1 = TradesGroup(widths[0], widths[1], size, 1)
        self.sub_block1 = TradesGroup(widths[0], widths[1], size, 1)
        self.block2, self.block3 = TradesGroup(widths[1], widths[2], size, 2), TradesGroup(widths[2], widths[3], size, 2)
        self.bn1, self.fc = nn.BatchNorm2d(widths[3]), nn.Linear(widths[3], classes)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.block3(self.block2(self.block1(self.conv1(x))))))
        return self.fc(F.avg_pool2d(out, 8).flatten(1))


class JemBlock(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv(inside, outside, 3, 1, True), conv(outside, outside, 3, stride, True)
        self.bn1 = self.bn2 = nn.Identity()
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(conv(inside, outside, 1, stride, True))

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv2(F.leaky_relu(self.bn2(self.conv1(F.leaky_relu(self.bn1(x), 0.2))), 0.2))
        return out + (self.shortcut(x) if hasattr(self, "shortcut") else x)


class JemTrunk(nn.Module):
    def __init__(self, depth: int, widen: int) -> None:
        super().__init__()
        size, widths = (depth - 4) // 6, [16, 16 * widen, 32 * widen, 64 * widen]
        self.conv1 = conv(3, 16, 3, 1, True)
        for group in (1, 2, 3):
            ends = [(widths[group] if i else widths[group - 1], widths[group]) for i in range(size)]
            blocks = [JemBlock(*end, 2 if group > 1 and not i else 1) for i, end in enumerate(ends)]
            setattr(self, f"layer{group}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> Tensor:
        out = F.leaky_relu(self.layer3(self.layer2(self.layer1(self.conv1(x)))), 0.2)
        return F.avg_pool2d(out, 8).flatten(1)


class Jem(nn.Module):
    """WRN of JEM: no norm, leaky, and shortcuts that read the block's input as it is; two heads."""

    def __init__(self, depth: int = 16, widen: int = 2, classes: int = 10) -> None:
        super().__init__()
        self.f = JemTrunk(depth, widen)
        self.f.linear = nn.Linear(64 * widen, classes)  # there, and never used
        self.energy_output, self.class_output = nn.Linear(64 * widen, 1), nn.Linear(64 * widen, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.class_output(self.f(x))


class GowalBlock(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.pad = (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1)  # what "SAME" means in other frameworks
        self.batchnorm_0, self.conv_0 = nn.BatchNorm2d(inside), nn.Conv2d(inside, outside, 3, stride, bias=False)
        self.batchnorm_1, self.conv_1 = nn.BatchNorm2d(outside), conv(outside, outside)
        if inside != outside:
            self.shortcut = conv(inside, outside, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        active = F.silu(self.batchnorm_0(x))
        out = self.conv_1(F.silu(self.batchnorm_1(self.conv_0(F.pad(active, self.pad)))))
        return out + (self.shortcut(active) if hasattr(self, "shortcut") else x)


class Gowal(nn.Module):
    """WRN of Gowal et al. 2020, smooth, with its normalisation in the file."""

    def __init__(self, depth: int = 16, widen: int = 2, classes: int = 10) -> None:
        super().__init__()
        size, widths = (depth - 4) // 6, [16, 16 * widen, 32 * widen, 64 * widen]
        self.register_buffer("mean", torch.tensor([0.49, 0.48, 0.45]).view(3, 1, 1))
        self.register_buffer("std", torch.tensor([0.25, 0.24, 0.26]).view(3, 1, 1))
        self.init_conv, groups = conv(3, 16), []
        for g in range(3):
            group = nn.Module()
            blocks = [
                GowalBlock(widths[g + 1] if i else widths[g], widths[g + 1], 2 if g and not i else 1) for i in range(size)
            ]
            group.block = nn.Sequential(*blocks)
            groups.append(group)
        self.layer = nn.ModuleList(groups)
        self.batchnorm, self.logits = nn.BatchNorm2d(widths[3]), nn.Linear(widths[3], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.init_conv((x - self.mean) / self.std)
        for group in self.layer:
            x = group.block(x)
        return self.logits(F.avg_pool2d(F.silu(self.batchnorm(x)), 8).flatten(1))


class Normalizer(nn.Module):
    """Constants of robustness' first layer."""

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.register_buffer("new_mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("new_std", torch.tensor(std).view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.new_mean) / self.new_std


class Attacked(nn.Module):
    """Robustness' wrapper: every tensor lies in it twice."""

    def __init__(self, model: nn.Module, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.normalizer, self.model = Normalizer(mean, std), model
        self.attacker = nn.Module()
        self.attacker.normalize, self.attacker.model = self.normalizer, model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(self.normalizer(x))


def trained(net: nn.Module, seed: int = 1) -> nn.Module:
    """Weights and statistics such as a training leaves, drawn; in eval mode."""
    draw_weights(net, seed, 1.5)
    g = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(0.1 * torch.randn(module.num_features, generator=g))
            module.running_var.copy_(0.5 + torch.rand(module.num_features, generator=g))
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=g)
            nn.init.uniform_(module.bias, -0.2, 0.2, generator=g)
    return net.eval()
