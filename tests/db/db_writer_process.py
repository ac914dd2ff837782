"""A writer to be killed: works on one store for ever, and says on standard output what it has committed.

Lines: "steps TRIAL ATTEMPT ROWS" and "done TRIAL ATTEMPT ROWS", each printed after its transaction.
"""

import random
import sys

import db_samples as samples

from mlrtui_db.store import Store


def work(store: Store, rng: random.Random) -> None:
    with store.transaction():
        sweep_id = store.add_sweep(samples.sweep())
    state = store.sweep_state(sweep_id)
    net_id = state.nets[0].net_id
    queued = [trial.trial_id for trial in state.trials if trial.status == "queued"]
    with store.transaction():
        fresh = [samples.trial(net_id, 0.001 * (1 + len(state.trials) + i)) for i in range(3)]
        queued += store.add_trials(fresh)
        attempts = store.open_attempts(queued, "driver", "cpu", {})
    for seq in range(rng.randint(1, 4)):
        size = rng.randint(1, 200)
        with store.transaction():
            for trial_id in queued:
                losses = [rng.random() for _ in range(size)]
                batch = samples.steps(trial_id, losses, attempt=attempts[trial_id], seq=seq, first=seq * 200)
                store.append_steps(batch)
        for trial_id in queued:
            print("steps", trial_id, attempts[trial_id], size, flush=True)
    with store.transaction():
        for trial_id in queued:
            store.finish_trial(samples.outcome(trial_id, attempt=attempts[trial_id], seq=seq + 1))
    for trial_id in queued:
        print("done", trial_id, attempts[trial_id], 0, flush=True)


if __name__ == "__main__":
    generator = random.Random(int(sys.argv[2]))
    with Store.open(sys.argv[1]) as opened:
        print("open", opened.recovered, 0, 0, flush=True)
        while True:
            work(opened, generator)
