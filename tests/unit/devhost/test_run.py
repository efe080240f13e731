import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_what_to_trust_is_settled_before_aiohttp_is_there_to_look_at_it() -> None:
    program = "import sys, devhost.__main__; sys.exit('aiohttp' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
