"""python evaluate.py RUN --data.root DIR --metrics fid,acd: score what a trained model makes."""

import sys

from vidgen.commands.run_kind import makes_shapes
from vidgen.commands.running import run_command

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if makes_shapes(arguments):
        from voxel.commands.evaluate import main
    else:
        from vidgen.commands.evaluate import main
    sys.exit(run_command("evaluate.py", main, arguments))
