"""A ResNet with BatchNorm on images of digits, trained by SGD, with the recorder in its loop.

    python resnet_digits.py --epochs 10 --lr 0.1          # some minutes on two cores
    mlrtui watch --store runs.db                          # in another terminal, also while it trains

The lines of mlrtui are marked. The images (8 × 8) are part of scikit-learn: nothing is downloaded.
"""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import mlrtui  # mlrtui


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, fan_in, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(fan_in, width, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.shortcut = nn.Identity()
        if stride > 1 or fan_in != width:
            self.shortcut = nn.Sequential(nn.Conv2d(fan_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        """x [samples, fan_in, height, side] → [samples, width, height / stride, side / stride]."""
        h = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(h)) + self.shortcut(x))


def make_model(width):
    """Three stages of one block each."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        Block(width, width, 1),
        Block(width, 2 * width, 2),
        Block(2 * width, 4 * width, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * width, 10),
    )


def loss_fn(model, batch):
    """Mean cross-entropy of a batch of images and labels."""
    images, labels = batch
    return F.cross_entropy(model(images), labels)


def accuracy_of(model, images, labels):
    """Share of right answers, in eval mode."""
    model.eval()
    with torch.no_grad():
        right = (model(images).argmax(dim=1) == labels).float().mean().item()
    model.train()
    return right


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--samples", type=int, default=1500)
    parser.add_argument("--store", default="runs.db")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()

    torch.manual_seed(0)
    digits = load_digits()
    images = (torch.tensor(digits.data, dtype=torch.float32) / 16 - 0.3).view(-1, 1, 8, 8).to(args.device)
    labels = torch.tensor(digits.target).to(args.device)
    model = make_model(args.width).to(args.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, weight_decay=5e-4)
    steps = args.epochs * (args.samples // args.batch)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    with mlrtui.record(  # mlrtui
        model, optimizer, loss_fn, store=args.store, name=f"resnet lr {args.lr:g}", settings=vars(args)
    ) as rec:
        for epoch in range(args.epochs):
            order = torch.randperm(args.samples)
            for rows in order.split(args.batch)[: args.samples // args.batch]:
                batch = images[rows], labels[rows]
                optimizer.zero_grad()
                loss = loss_fn(model, batch)
                loss.backward()
                optimizer.step()
                scheduler.step()
                rec.step(loss, batch)  # mlrtui
            accuracy = accuracy_of(model, images[args.samples :], labels[args.samples :])
            print(f"epoch {epoch}: loss {loss.item():.4f}, accuracy on held-out images {accuracy:.3f}")
    print(rec)
    for step, value, edge in list(zip(*vars(rec.series("lambda-preconditioned")).values(), strict=True))[-5:]:
        print(f"step {step}: λ = {value:.3g}, stable below {edge:.3g}")


if __name__ == "__main__":
    main()
