"""A causal GPT on characters, trained by AdamW with warm-up and clipping, with the recorder in its loop.

    python gpt_characters.py --steps 500 --lr 1e-3        # some minutes on two cores
    mlrtui watch --store runs.db                          # in another terminal, also while it trains

The lines of mlrtui are marked. The text is generated: sums with their results, such as "37+5=42;".
"""

import argparse

import torch
from torch import nn
from torch.nn import functional as F

import mlrtui  # mlrtui

CHARACTERS = "0123456789+=;"


class Block(nn.Module):
    """Causal attention and a two-layer net, each on a normalised input."""

    def __init__(self, d, heads, dropout):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d), nn.Dropout(dropout))

    def forward(self, x):
        """x [rows, length, d] → the same shape."""
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.qkv(self.norm1(x)).chunk(3, -1))
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))


class Gpt(nn.Module):
    """Tokens to logits; the embedding is the last layer, too."""

    def __init__(self, length, d, blocks, heads, dropout):
        super().__init__()
        self.embedding, self.position = nn.Embedding(len(CHARACTERS), d), nn.Embedding(length, d)
        for one in (self.embedding, self.position):
            nn.init.normal_(one.weight, std=0.02)
        self.blocks = nn.Sequential(*[Block(d, heads, dropout) for _ in range(blocks)])
        self.norm = nn.LayerNorm(d)

    def forward(self, tokens):
        """tokens [rows, length] → logits [rows, length, characters]."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        h = self.blocks(self.embedding(tokens) + self.position(places))
        return self.norm(h) @ self.embedding.weight.T


def make_text(sums, seed=0):
    """Tokens of so many sums, one after the other."""
    numbers = torch.randint(100, (sums, 2), generator=torch.Generator().manual_seed(seed)).tolist()
    text = "".join(f"{a}+{b}={a + b};" for a, b in numbers)
    return torch.tensor([CHARACTERS.index(c) for c in text])


def loss_fn(model, batch):
    """Mean cross-entropy of the next character."""
    inputs, targets = batch
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--warmup", type=int, default=50)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--store", default="runs.db")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()

    torch.manual_seed(0)
    text = make_text(5000).to(args.device)
    model = Gpt(args.length, args.width, args.blocks, 4, args.dropout).to(args.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, betas=(0.9, 0.95), weight_decay=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / args.warmup))

    with mlrtui.record(  # mlrtui
        model, optimizer, loss_fn, store=args.store, name=f"gpt lr {args.lr:g}", settings=vars(args)
    ) as rec:
        for step in range(args.steps):
            starts = torch.randint(len(text) - args.length - 1, (args.batch,)).tolist()
            rows = torch.stack([text[start : start + args.length + 1] for start in starts])
            batch = rows[:, :-1], rows[:, 1:]
            optimizer.zero_grad()
            loss = loss_fn(model, batch)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            rec.step(loss, batch)  # mlrtui
            if step % 50 == 0 or step == args.steps - 1:
                print(f"step {step}: loss {loss.item():.4f}")
    print(rec)
    for step, value, edge in list(zip(*vars(rec.series("critical")).values(), strict=True))[-5:]:
        print(f"step {step}: critical sharpness {value:.3g}, this step raises the loss above {edge:.3g}")


if __name__ == "__main__":
    main()
