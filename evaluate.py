"""python evaluate.py RUN --data.root DIR --metrics fid,acd: score what a trained model makes."""

from vidgen.commands.evaluate import run_as_script

if __name__ == "__main__":
    run_as_script()
