"""AC power flow by Newton's method on the dense bus admittance matrix: slow and obvious."""

import numpy as np


def admittance(feeder):
    """(n, n) complex bus admittance matrix [p.u.] from the feeder's branch model."""
    n = feeder.num_buses
    matrix = np.zeros((n, n), dtype=complex)
    for bus in range(1, n):
        parent = feeder.parent[bus]
        series = 1 / complex(feeder.r[bus], feeder.x[bus])
        shunt_from = complex(feeder.g_from[bus], feeder.b_from[bus])
        shunt_to = complex(feeder.g_to[bus], feeder.b_to[bus])
        tap = feeder.ratio[bus] * np.exp(1j * feeder.shift[bus])
        matrix[parent, parent] += (series + shunt_from) / abs(tap) ** 2
        matrix[parent, bus] -= series / np.conj(tap)
        matrix[bus, parent] -= series / tap
        matrix[bus, bus] += series + shunt_to
    return matrix


def solve(feeder, p_mw, q_mvar, tolerance=1e-10, max_iterations=30):
    """Complex bus voltages (n,) [p.u.] for net demand `p_mw`, `q_mvar` (n,); the slack holds 1 p.u. at angle 0."""
    matrix = admittance(feeder)
    power = -(np.asarray(p_mw) + 1j * np.asarray(q_mvar)) / feeder.base_mva
    free = np.arange(1, feeder.num_buses)
    voltage = -np.linalg.solve(matrix[np.ix_(free, free)], matrix[free, 0])
    voltage = np.concatenate([[1.0 + 0j], voltage])  # the unloaded feeder: right angles behind phase shifters
    for _ in range(max_iterations):
        current = matrix @ voltage
        mismatch = (voltage * np.conj(current) - power)[free]
        # d(V conj(YV)) = diag(conj(YV)) dV + diag(V) conj(Y) conj(dV), in real and imaginary parts of dV.
        direct = np.diag(np.conj(current[free]))
        mirrored = voltage[free, None] * np.conj(matrix[np.ix_(free, free)])
        jacobian = np.block(
            [
                [(direct + mirrored).real, (-direct.imag + mirrored.imag)],
                [(direct + mirrored).imag, (direct.real - mirrored.real)],
            ]
        )
        change = np.linalg.solve(jacobian, -np.concatenate([mismatch.real, mismatch.imag]))
        voltage[free] += change[: len(free)] + 1j * change[len(free) :]
        if np.abs(change).max() < tolerance:  # not the mismatch: branches of 1e-5 ohm leave rounding errors there
            return voltage
    raise ArithmeticError(f"no convergence in {max_iterations} iterations")


def branch_losses_mw(feeder, voltage):
    """(n,) active losses [MW] of the branch feeding each bus (entry 0 is 0), shunts included."""
    losses = np.zeros(feeder.num_buses)
    for bus in range(1, feeder.num_buses):
        behind = voltage[feeder.parent[bus]] / (feeder.ratio[bus] * np.exp(1j * feeder.shift[bus]))
        current = (behind - voltage[bus]) / complex(feeder.r[bus], feeder.x[bus])
        series = abs(current) ** 2 * feeder.r[bus]
        shunt = feeder.g_from[bus] * abs(behind) ** 2 + feeder.g_to[bus] * abs(voltage[bus]) ** 2
        losses[bus] = (series + shunt) * feeder.base_mva
    return losses
