"""The project's environment `.venv`: either complete, or made anew. Standard library only; used by tasks.py.

`.venv/tasks.json` holds the digests of what is installed and the step under way. A step that was killed leaves its
name there; the next start then makes the environment anew instead of guessing which files are whole.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
NEEDED_BYTES = 4 * 1000**3
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


class Stop(Exception):
    """Something the user can mend; the message is one line."""


def say(line: str) -> None:
    print(f"[tasks] {line}", flush=True)


def prepare(extra: str, cuda: bool, index: str) -> str:
    """Bring `.venv` up to date for the core and `extra` (may be empty); returns its Python.

    Args:
        extra: a further file of requirements/, without its ending.
        cuda: whether torch may be the CUDA build.
        index: address of an index of torch builds; empty for the usual one.

    Raises:
        Stop: no venv module, no write access, too little disk, or something could not be fetched.
    """
    with one_at_a_time() as lock:
        state = read_state()
        if not state or state["running"] or not starts(environment_python()):
            require_room()
            state = make_environment(bool(state), lock)
        fresh = not state["installed"]
        if cuda and not state["cuda"]:
            state["installed"].pop("core", None)
        if state["installed"].get("core") != core_digest():
            with step("core", core_digest(), state, fresh):
                install_core(state, cuda, index, lock)
        if extra and state["installed"].get(extra) != file_digest(extra):
            with step(extra, file_digest(extra), state, fresh=False):
                install_pins(extra, lock)
    return environment_python()


# ---- before anything is written -------------------------------------------------------------------------------


def require_room() -> None:
    """Refuse to start an installation that cannot end well."""
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        advice = "install it (Debian, Ubuntu: apt install python3-venv) or use another Python"
        raise Stop("this Python has no {} module; {}".format(" and no ".join(missing), advice))
    try:
        with tempfile.TemporaryFile(dir=str(ROOT)):
            pass
    except OSError as problem:
        raise Stop(f"cannot write in {ROOT} ({problem.strerror}); clone the project where you may") from None
    free = shutil.disk_usage(str(ROOT)).free
    if free < NEEDED_BYTES:
        numbers = f"{free / 1e9:.1f} GB free on the disk of {ROOT}, but {NEEDED_BYTES / 1e9:.0f} GB are needed"
        raise Stop(f"{numbers}; free some or clone the project elsewhere")


# ---- the environment and its state ----------------------------------------------------------------------------


def make_environment(ours: bool, lock: int) -> dict:
    """An empty `.venv` with pip in it; one that is damaged or was left half-made is removed first."""
    folder = ROOT / ".venv"
    try:
        if folder.exists() and not ours and any(folder.iterdir()):
            raise Stop(".venv is there but was not made by tasks.py; move it away and run the same command again")
        remove_environment()
        say("making .venv with Python {}.{}".format(*sys.version_info[:2]))
        folder.mkdir()
        state = {"running": "venv", "installed": {}, "cuda": False}
        write_state(state)
        done = call([sys.executable, "-m", "venv", str(folder)], lock)
    except OSError as problem:
        raise Stop(f"could not make .venv: {problem}") from None
    if done.returncode:
        remove_environment()
        raise Stop(f"could not make .venv: {last_words(done.stdout)}")
    return dict(state, running="")


def remove_environment() -> None:
    """Remove `.venv`; the rename first keeps a killed removal from looking like somebody else's folder."""
    condemned = ROOT / ".venv-removed"
    shutil.rmtree(str(condemned), ignore_errors=True)
    if (ROOT / ".venv").exists():
        say("removing an incomplete .venv")
        (ROOT / ".venv").rename(condemned)
        shutil.rmtree(str(condemned), ignore_errors=True)


@contextlib.contextmanager
def step(name: str, digest: str, state: dict, fresh: bool):
    """Record `name` as under way, then as installed; a failure leaves the state as it was, or no `.venv` if `fresh`."""
    write_state(dict(state, running=name))
    try:
        yield
    except (Stop, KeyboardInterrupt):
        if fresh:
            remove_environment()
        else:
            write_state(state)
        raise
    state["installed"][name] = digest
    write_state(state)


def environment_python() -> str:
    return str(ROOT / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def starts(python: str) -> bool:
    """Whether the environment's Python still starts (the one it was made with may be gone)."""
    try:
        return subprocess.call([python, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def read_state() -> dict:
    """What `.venv/tasks.json` says; empty where there is none."""
    try:
        return dict(json.loads((ROOT / ".venv" / "tasks.json").read_text()))
    except (OSError, ValueError):
        return {}


def write_state(state: dict) -> None:
    path = ROOT / ".venv" / "tasks.json"
    half = path.with_suffix(".tmp")
    half.write_text(json.dumps(state))
    os.replace(str(half), str(path))


def file_digest(name: str) -> str:
    return hashlib.sha256((ROOT / "requirements" / f"{name}.txt").read_bytes()).hexdigest()[:16]


def core_digest() -> str:
    """Changes with the torch version, the lock, or what pyproject.toml says of the package (not of its checks)."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = json.dumps([project["project"], project["build-system"], file_digest("torch"), file_digest("lock")])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextlib.contextmanager
def one_at_a_time():
    """Hold a lock on this file; installers outliving a killed start inherit it, so none writes beside another."""
    with open(__file__, "rb") as handle:
        try:
            import fcntl
        except ImportError:  # Windows
            yield 0
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another installation in this folder to end")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


# ---- the steps ------------------------------------------------------------------------------------------------


def install_core(state: dict, cuda: bool, index: str, lock: int) -> None:
    """torch first, so that nothing else chooses its build; then the lock, then the project itself."""
    wanted = (ROOT / "requirements" / "torch.txt").read_text().split()[-1]
    if cuda and not state["cuda"]:
        pip(["uninstall", "--yes", "torch"], lock)
    state["cuda"] = cuda or state["cuda"]
    if state["cuda"]:
        install_cuda_torch(wanted, index, lock)
    else:
        install_cpu_torch(wanted, index, lock)
    install_pins("lock", lock)
    require(pip(["install", "--no-deps", "--no-build-isolation", "-e", str(ROOT)], lock), "the project itself")
    check_torch(state["cuda"])


def install_cuda_torch(wanted: str, index: str, lock: int) -> None:
    say(f"installing {wanted} with CUDA (several GB)")
    more = ["--extra-index-url", index] if index else []
    require(pip(["install", "-c", str(ROOT / "requirements" / "lock.txt"), wanted, *more], lock), wanted)


def install_cpu_torch(wanted: str, index: str, lock: int) -> None:
    """From the index of CPU builds, or from wherever pip's own settings find a CPU build."""
    say(f"installing {wanted} (CPU build, about 200 MB, a minute or two)")
    if sys.platform == "linux" or index:
        quick = ["--retries", "0", "--timeout", "10", "--index-url", index or CPU_INDEX]
        if pip(["install", "--no-deps", wanted, *quick], lock).returncode == 0:
            return
        say(f"warning: {index or CPU_INDEX} has none or does not answer; trying pip's ordinary index")
    if sys.platform == "linux":
        refuse_cuda_packages(wanted, lock)
    require(pip(["install", "--no-deps", wanted], lock), wanted)


def refuse_cuda_packages(wanted: str, lock: int) -> None:
    """Stop before gigabytes are fetched that nobody asked for."""
    report = ROOT / ".venv" / "report.json"
    dry_run = ["install", "--no-deps", "--dry-run", "--retries", "1", "--report", str(report), wanted]
    require(pip(dry_run, lock), wanted)
    needs = [need for found in json.loads(report.read_text())["install"] for need in found["metadata"]["requires_dist"]]
    if any(need.startswith(("nvidia", "cuda", "triton")) for need in needs):
        advice = "name an index of CPU builds with --torch-index URL, or accept it with --cuda"
        raise Stop(f"only the CUDA build of {wanted} (several GB) could be found; {advice}")


def install_pins(name: str, lock: int) -> None:
    """The packages of requirements/`name`.txt: with uv where it can be had, else with pip."""
    path = str(ROOT / "requirements" / f"{name}.txt")
    say(f"installing requirements/{name}.txt (about a minute)")
    if pip(["install", "--retries", "1", "uv"], lock).returncode == 0:
        command = uv("install", "--compile-bytecode", "--python", environment_python(), "-r", path)
        if call(command, lock).returncode == 0:
            return
        say("uv could not; trying pip, which takes some minutes")
    require(pip(["install", "-r", path], lock), f"requirements/{name}.txt")


def check_torch(cuda: bool) -> None:
    done = call([environment_python(), "-c", "import torch; print(torch.__version__, torch.version.cuda)"])
    if done.returncode:
        raise Stop(f"torch was installed but does not start: {last_words(done.stdout)}")
    version, cuda_version = done.stdout.split()[-2:]
    if not cuda and cuda_version != "None":
        raise Stop(f"torch {version} is a CUDA build; name an index of CPU builds with --torch-index URL")
    more = f"CUDA: {cuda_version}" if cuda else "CPU; for an NVIDIA GPU: python3 tasks.py --cuda VERB"
    say(f"torch {version} is ready ({more})")


# ---- calling installers ---------------------------------------------------------------------------------------


def pip(arguments: list, lock: int) -> subprocess.CompletedProcess:
    quiet = ["--disable-pip-version-check", "--no-input"]
    return call([environment_python(), "-m", "pip", *arguments[:1], *quiet, *arguments[1:]], lock)


def uv(*arguments: str) -> list:
    """Command line of uv's pip interface."""
    return [environment_python(), "-m", "uv", "pip", *list(arguments)]


def call(command: list, lock: int = 0) -> subprocess.CompletedProcess:
    """Run a command silently, keeping what it prints; it inherits `lock`."""
    return subprocess.run(
        command,
        cwd=str(ROOT),
        env=clean_variables(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=(lock,) if lock else (),
    )


def clean_variables() -> dict:
    """The user's variables, with `.venv` first on the path and no other Python's packages mixed in."""
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    path = [os.path.dirname(environment_python()), os.environ.get("PATH", os.defpath)]
    variables.update(VIRTUAL_ENV=str(ROOT / ".venv"), PATH=os.pathsep.join(path))
    return variables


def require(done: subprocess.CompletedProcess, what: str) -> None:
    if done.returncode:
        advice = "check the network and pip's settings, then run the same command again"
        raise Stop(f"could not install {what} ({last_words(done.stdout)}); {advice}")


def last_words(output: str) -> str:
    """The line in which an installer says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["no output"])[-1].replace("ERROR: ", "")
