"""Makes the component, with its settings beside it, and prints where it is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAME = "{{name}}"
folder = Path("target/plugins")
folder.mkdir(parents=True, exist_ok=True)
component = folder / f"{NAME}.wasm"
beside = Path(sys.executable).with_name("componentize-py")
program = str(beside) if beside.exists() else "componentize-py"
subprocess.run(
    # A plugin is granted no file, no socket and no clock: what asks for one traps.
    [program, "-q", "-d", "wit", "-w", "{{kind}}-plugin", "componentize", "--stub-wasi", "plugin", "-o", str(component)],
    env={**os.environ, "PYTHONHASHSEED": "0"},
    check=True,
)
shutil.copy(f"{NAME}.yaml", folder / f"{NAME}.yaml")
print(component)
