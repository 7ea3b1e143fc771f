"""The installed wheel, alone: import, remember, recall, close, command line. Run by `make wheel`."""

import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import agentmem

assert "torch" not in sys.modules, "import agentmem must not import torch"
with tempfile.TemporaryDirectory() as folder:
    database = Path(folder, "smoke.db")
    with agentmem.Memory(database) as memory:
        memory.remember({"name": "Alice", "content": "I adopted a cat called Miso.", "id": "e1"})
        assert memory.recall("What is the cat called?").items[0].id == "e1"
    command = [
        str(Path(sys.executable).with_name("agentmem")),
        "recall",
        "cat",
        "--db",
        str(database),
        "--json",
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Miso" in answer.stdout, answer
assert files("agentmem.evals").joinpath("data/recaller/model.safetensors").is_file(), (
    "the recall model is missing"
)
print(f"the wheel of agentmem {agentmem.__version__} works on Python {sys.version.split()[0]}")
