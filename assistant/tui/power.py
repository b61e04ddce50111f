"""Whether the machine runs on its battery, where the kernel says so. Knows one folder of Linux."""

from pathlib import Path
from typing import Final

POWER_SUPPLIES: Final = Path("/sys/class/power_supply")


def on_battery(folder: Path = POWER_SUPPLIES) -> bool:
    """True when a battery is being drained; False on mains, without a battery, or elsewhere."""
    try:
        return any(
            (supply / "status").read_text("ascii").strip() == "Discharging"
            for supply in folder.iterdir()
            if (supply / "status").exists()
        )
    except OSError:
        return False
