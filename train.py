"""python train.py --config RECIPE --data.root DIR --run DIR: train a game, or resume it."""

from vidgen.commands.train import run_as_script

if __name__ == "__main__":
    run_as_script()
